"""What `python -m mmseg_jml` and the scripts in `tools/` do, one module per job."""
