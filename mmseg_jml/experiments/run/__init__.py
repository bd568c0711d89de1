"""Train and test the cells of a plan, on this machine or on Slurm."""
