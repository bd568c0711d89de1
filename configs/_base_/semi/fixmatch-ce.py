# FixMatch with cross-entropy: pseudo-labels of the weak view, sharpened, where the
# average is sure, for the strong view, with CutMix.
unlabelled = dict(
    loss=dict(type='SoftCrossEntropyLoss'),
    views=dict(strong=1.0),
    pseudo_label=dict(threshold=0.95, temperature=0.5),
    cutmix=0.5,
)
