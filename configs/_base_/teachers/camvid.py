# DeepLabV3+ on MobileNetV2 of width 0.5, trained with JML-BLS.
name = 'deeplabv3plus_m-v2-w05-d16_1xb8-jml-bls-3k_camvid-160x224'
teacher = f'configs/jml/camvid/{name}.py'
teacher_checkpoint = f'work_dirs/{name}/iter_3000.pth'
del name
