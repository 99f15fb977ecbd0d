"""The files under `content/` that this room reads: question banks and quizzes."""
