# 0.25 CE + 0.75 of the second Jaccard metric loss on labels smoothed at the boundaries;
# on hard labels it would be jml.
_base_ = './jml-bls.py'
loss_decode = dict(
    losses=[
        dict(type='SoftCrossEntropyLoss', loss_weight=0.25),
        dict(type='JaccardMetricLoss', loss_weight=0.75, variant='jml2'),
    ],
)
loss_main = dict(
    losses=[
        dict(type='SoftCrossEntropyLoss', loss_weight=0.125),
        dict(type='JaccardMetricLoss', loss_weight=0.75, variant='jml2'),
    ],
)
