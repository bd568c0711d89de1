# As fixmatch-ce, with the paper's objective, 0.25 CE + 0.75 JML, on the pseudo-labels.
# A class is active where some supervised pixel is half its own: of classes that are not
# there soft labels hold leftovers, to which JML would give the weight of a class.
# The paper's own semi-supervised set-up is not published: this one is ours.
unlabelled = dict(
    loss=dict(
        type='CompoundLoss',
        losses=[
            dict(type='SoftCrossEntropyLoss', loss_weight=0.25),
            dict(type='JaccardMetricLoss', loss_weight=0.75, threshold=0.5),
        ],
    ),
    views=dict(strong=1.0),
    cutmix=0.5,
)
