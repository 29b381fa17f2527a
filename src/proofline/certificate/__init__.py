"""Does a commit's `dvc.lock` come out again? The manifest of its decisions, the reproduction, and the certificate."""
