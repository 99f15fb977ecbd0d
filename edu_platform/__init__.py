"""消保守护: the backend of a mini-program that teaches consumers of finance their rights.

The rooms, top to bottom; each imports only rooms further down (`docs/architecture.md`):
`cli`, `factory`, `reach`, `campaigns`, `quizzes` | `shelf`, `library`, `review`, `media`,
`people`, `audit` | `wechat`, `core`, `config`.
"""
