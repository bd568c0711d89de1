# The paper's training on a fold of DeepGlobe Land.
_base_ = [
    '../datasets/deepglobe.py',
    '../default_runtime.py',
    '../schedules/paper_10k.py',
]
# Windows of the crop's size, two thirds of it apart.
test_window = dict(mode='slide', crop_size={{_base_.crop_size}}, stride=(342, 342))
