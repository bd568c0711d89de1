# FixMatch with cross-entropy: what the average says of the weak view is the label of
# the strong one, with CutMix. A leaf says how sure the average has to be.
unlabelled = dict(
    loss=dict(type='SoftCrossEntropyLoss'),
    views=dict(strong=1.0),
    cutmix=0.5,
)
