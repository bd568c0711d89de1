# The paper's teacher, M5 trained with JML-BLS, on the same fold.
name = 'unet_r50_1xb8-jml-bls-10k_deepglobe-512x512'
teacher = f'configs/jml/deepglobe/{name}.py'
teacher_checkpoint = f'work_dirs/{name}/iter_10000.pth'
del name
