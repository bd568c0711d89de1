# Mean Teacher, with cross-entropy: the student sees the pictures that its average sees,
# and is told all that the average says of them.
unlabelled = dict(
    loss=dict(type='SoftCrossEntropyLoss'),
    views=dict(weak=1.0),
)
