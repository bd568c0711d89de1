# Cross-entropy and channel-wise distillation, with the weight and the temperature that
# its paper has for logits. It leaves an auxiliary head to the labels.
_base_ = './ce.py'
distill_decode = [dict(type='CWDLoss', temperature=4.0, loss_weight=3.0)]
distill_main = [dict(type='CWDLoss', temperature=4.0, loss_weight=3.0)]
