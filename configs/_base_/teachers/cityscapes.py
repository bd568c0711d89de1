# The paper's teacher, M1 trained with JML-BLS.
name = 'deeplabv3_r50-d8_1xb8-jml-bls-40k_cityscapes-512x1024'
teacher = f'configs/jml/cityscapes/{name}.py'
teacher_checkpoint = f'work_dirs/{name}/iter_40000.pth'
del name
