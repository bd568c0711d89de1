# MMSegmentation's own cross-entropy: a mean over the ignored pixels too.
loss_decode = dict(type='CrossEntropyLoss', use_sigmoid=False)
