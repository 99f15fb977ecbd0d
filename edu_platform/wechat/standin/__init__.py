"""A local stand-in that answers like WeChat over HTTP, for running and testing without an account.

`python -m edu_platform.wechat.standin --port N` runs it. It keeps what WeChat keeps (codes, tokens,
users, visits, acceptances, quotas) on a clock that can be moved, checks in WeChat's order, answers
with WeChat's numbers, and is steered through routes under `/__stub/`, which WeChat does not have.
It shares no code with the client but the ciphers of the push, which have official test vectors.
Where a real answer is not known, the place says so. Production refuses it.
"""
