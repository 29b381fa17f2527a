"""One flat MLflow run per stage process: `with track(stage, sections=...) as run:`. The stage never imports MLflow."""

from proofline.tracking.run import NullRun, Run
from proofline.tracking.track import track

__all__ = ["NullRun", "Run", "track"]
