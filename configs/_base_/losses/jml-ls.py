# 0.25 CE + 0.75 JML on labels smoothed at every pixel.
_base_ = './jml.py'
smoothing = dict(type='LabelSmoothing', epsilon=0.1)
loss_decode = dict(label_smoothing=smoothing)
loss_main = dict(label_smoothing=smoothing)
loss_aux = dict(label_smoothing=smoothing)
del smoothing
