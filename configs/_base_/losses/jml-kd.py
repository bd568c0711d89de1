# 0.25 CE + 0.75 JML, each half to the label and half to a teacher: the paper's JML-KD.
# An auxiliary head gets CE alone. The `distill_*` lists are the teacher's halves.
loss_decode = dict(
    type='CompoundLoss',
    losses=[
        dict(type='SoftCrossEntropyLoss', loss_weight=0.125),
        dict(type='JaccardMetricLoss', loss_weight=0.375),
    ],
)
loss_main = dict(
    type='CompoundLoss',
    losses=[
        dict(type='SoftCrossEntropyLoss', loss_weight=0.0625),
        dict(type='JaccardMetricLoss', loss_weight=0.375),
    ],
)
loss_aux = dict(type='SoftCrossEntropyLoss', loss_weight=0.0625)
distill_decode = [
    dict(type='KLDistillationLoss', loss_weight=0.125),
    dict(type='JaccardMetricLoss', loss_weight=0.375, loss_name='loss_jml_kd'),
]
distill_main = [
    dict(type='KLDistillationLoss', loss_weight=0.0625),
    dict(type='JaccardMetricLoss', loss_weight=0.375, loss_name='loss_jml_kd'),
]
distill_aux = [dict(type='KLDistillationLoss', loss_weight=0.0625)]
