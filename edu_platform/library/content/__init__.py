"""The files under `content/`: reading them strictly, checking them all at once, importing what changed.

`source` reads one file and knows the line of everything in it; `meta` holds the rules of what every
piece says about itself; `sections` lists which folders there are; `pieces` are the library's own
sections; `wording` looks at the text itself; `run` checks or imports a whole tree. Rooms above
register sections of their own (questions, quizzes, campaigns).
"""
