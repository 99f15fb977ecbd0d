"""The files under `content/`: reading them strictly, checking them all at once, importing what changed.

`library.source` reads one file and knows the line of everything in it; `sections` lists which folders there are
and reads what every piece says about itself; `pieces` are the library's own sections; `language` looks at the text
itself; `run` checks or imports a whole tree. Rooms above register sections of their own (questions, quizzes,
campaigns).
"""
