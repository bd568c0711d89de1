"""The pass over the logits that all the losses share, and its derivative.

Start with `class_sums`, which says what a pass is asked and what it answers; `passes`
walks over the chunks, `sums` gathers what the forward walk finds, `chunks` is the
prediction, and `label_chunks` and `dense_chunks` are what it is compared with. This is
the algebra; comments refer to its numbers.

z are the logits divided by the temperature T, p = softmax(z), y is the target, w >= 0
the weight of a pixel (0 where it is ignored), k the class weight of its cross-entropy.
<a,b> is a sum over the classes of one pixel.

Forward: softmax, without a maximum where none is needed, and the sums over pixels.

    (1)  p_c = e_c / n,  e_c = exp(z_c - s),  n = sum_c e_c,  s one number per pixel
    (2)  log p_c = z_c - s - log n
    (3)  sum_l w p_c = sum_l e_c (w / n): the norm goes into the vector over pixels

A label b, smoothed by eps, is y_c = low + span [c = b] with

    (4)  low = eps / C,  span = 1 - eps;  hard: low = 0, span = 1

so that each of its sums is one over the pixels of each label, and one over all classes
that is 0 wherever the pixel is not smoothed:

    (5)  sum w min(p_c,y_c) = sum_{b=c} w (min(p_b,low+span) - min(p_b,low))
                              + sum w min(p_c,low)
    (6)  sum w p_c y_c = sum_{b=c} w span p_b + sum w low p_c
    (7)  -<y,log p> = -span log p_b + low (C (log n + s) - sum_c z_c)

Backward: g_X is the gradient that reaches the sum X, divided by T. The slope of a
prediction p_c, without its w, is

    (8)  G_c = g_probs + 2 g_probs_squared p_c + g_minimum step(y_c - p_c)
               + g_product y_c,  step = 1 where p < y, 0 where p > y, 1/2 where p = y

and the gradient of the logits, with f = g_cross_entropy w k,

    (9)  softmax:   w p_c (G_c - <p,G>) + f (p_c <1,y> - y_c)
    (10) sigmoid:   w p (1-p) G + g_cross_entropy w (p (1-y + k y) - k y)
         identity:  w G

Of a softmax all pixels of an image share a part of the slope, G_c = shared_c + rest_c:

    (11) p_c (w shared_c - w <p,G> + f <1,y>)  +  w p_c rest_c - f y_c

    `shared_slope` is shared_c; `mean_slope` is <p,rest>, to which <p,shared> is added
    once for all targets; `ce_factor` is f <1,y>. The first product needs p once for all
    targets; what follows it is added at the label or at all classes.

    (12) soft target: step = 1/2 + sign(y_c - p_c) / 2, so shared = g_minimum / 2
    (13) label: rest_c = low's slope at all classes, only where the pixel is smoothed,
         and at the label what the step over low + span and span g_product add
"""

from .class_sums import (
    SUM_NAMES,
    ClassSums,
    Needs,
    SumName,
    Target,
    check_needs,
    class_sums,
    refuse_transforms,
)

__all__ = [
    'SUM_NAMES',
    'ClassSums',
    'Needs',
    'SumName',
    'Target',
    'check_needs',
    'class_sums',
    'refuse_transforms',
]
