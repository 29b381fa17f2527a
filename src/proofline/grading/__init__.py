"""Solution + reference answer -> Grade. The one place that decides whether an answer is right."""

from proofline.grading.grade import GRADER, SHARD_SOLUTIONS, Judged, grade_all, grade_text

__all__ = ["GRADER", "SHARD_SOLUTIONS", "Judged", "grade_all", "grade_text"]
