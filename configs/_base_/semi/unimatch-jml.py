# As fixmatch-jml, with UniMatch's views: two strong ones, and the weak one's features
# with half of their channels dropped; its weights.
unlabelled = dict(
    loss=dict(
        type='CompoundLoss',
        losses=[
            dict(type='SoftCrossEntropyLoss', loss_weight=0.25),
            dict(type='JaccardMetricLoss', loss_weight=0.75, threshold=0.5),
        ],
    ),
    views=dict(strong=0.25, strong_2=0.25, features=0.5),
    cutmix=0.5,
)
