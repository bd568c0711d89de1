"""Train and test what a plan asks for, here or on Slurm."""
