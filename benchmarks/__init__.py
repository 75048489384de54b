"""Speed, measured: Recoq end to end against a bare PyTorch loop on the same device in the same run (``make bench``)."""
