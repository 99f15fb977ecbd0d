"""WeChat's server API, from both ends.

The client (`client`, `tokens`, `stores`, `crypto`) asks WeChat who has signed in, draws
mini-program codes, has text checked and sends subscribe messages; it keeps one access token for
all workers and lets no secret into a log. `standin` answers like WeChat over HTTP, so that the
platform runs and is tested without an account. The room knows nothing of learners, pieces or
Flask, and has no tables: who an openid belongs to is for `people` to say.
"""
