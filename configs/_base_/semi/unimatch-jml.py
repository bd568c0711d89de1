# As fixmatch-jml, with UniMatch's views: two strong ones, and the weak one's features
# with half of their channels dropped; its weights.
_base_ = './fixmatch-jml.py'
unlabelled = dict(views=dict(strong=0.25, strong_2=0.25, features=0.5))
