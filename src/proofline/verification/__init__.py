"""GenRM-CoT scoring: P(Yes) of a candidate over K sampled verification chains (Zhang et al. 2024)."""

from proofline.verification.score import verify

__all__ = ["verify"]
