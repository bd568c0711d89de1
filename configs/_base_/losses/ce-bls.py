# Cross-entropy on labels smoothed at the boundaries.
_base_ = './ce.py'
smoothing = dict(type='BoundaryLabelSmoothing', kernel_size=3, epsilon=0.5)
loss_decode = dict(label_smoothing=smoothing)
loss_main = dict(label_smoothing=smoothing)
loss_aux = dict(label_smoothing=smoothing)
del smoothing
