# Mean Teacher with the objective of fixmatch-jml: the same losses, on the weak view.
_base_ = './fixmatch-jml.py'
unlabelled = dict(views=dict(_delete_=True, weak=1.0), cutmix=0.0)
