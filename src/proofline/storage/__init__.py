"""Files in and out: local paths and `gs://` URLs through fsspec, written so that half-written output looks absent."""
