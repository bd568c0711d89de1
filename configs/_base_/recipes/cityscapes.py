# The paper's training on Cityscapes.
_base_ = [
    '../datasets/cityscapes.py',
    '../default_runtime.py',
    '../schedules/paper_40k.py',
]
# Windows of the crop's size, two thirds of it apart.
test_window = dict(mode='slide', crop_size={{_base_.crop_size}}, stride=(342, 683))
