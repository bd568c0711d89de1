# JML-KD, equations 15 to 17 of the paper: 0.25 CE + 0.75 JML, half of each to the label
# and half to the teacher. An auxiliary head gets CE alone, half of its share.
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
to_teacher = dict(type='JaccardMetricLoss', loss_weight=0.375, loss_name='loss_jml_kd')
distill_decode = [dict(type='KLDistillationLoss', loss_weight=0.125), to_teacher]
distill_main = [dict(type='KLDistillationLoss', loss_weight=0.0625), to_teacher]
distill_aux = [dict(type='KLDistillationLoss', loss_weight=0.0625)]
del to_teacher
