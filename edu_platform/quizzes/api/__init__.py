"""Routes of learners who answer, and of staff who ask."""

from edu_platform.quizzes.api import learner, staff

blueprints = [
    learner.quizzes,
    learner.attempts,
    learner.mistakes,
    staff.questions,
    staff.banks,
    staff.quizzes,
]
