# The paper's training on VOC 2012.
_base_ = [
    '../datasets/voc12aug.py',
    '../default_runtime.py',
    '../schedules/paper_40k.py',
]
# Windows of the crop's size, two thirds of it apart.
test_window = dict(mode='slide', crop_size={{_base_.crop_size}}, stride=(342, 342))
