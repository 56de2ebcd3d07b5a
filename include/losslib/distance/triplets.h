// The loss of a triplet: max(0, margin + d(a, p) - d(a, n)), or with swap the smaller of d(a, n) and d(p, n).
#pragma once

#include "losslib/core/inline.h"
#include "losslib/distance/cosine.h"

namespace losslib {

// The value, the share of d(a, n) in the least negative distance (a half when it ties with d(p, n), as in PyTorch), and
// whether a gradient flows, which it does at 0 too.
struct TripletHinge {
    double value, share;
    bool flows;
};

LOSSLIB_INLINE TripletHinge triplet_hinge(double margin, double positive, double negative, bool swap, double swapped) {
    double share = 1;
    if (swap) {
        if (swapped < negative || swapped != swapped) {
            share = 0;
            negative = swapped;
        } else if (swapped == negative) {
            share = 0.5;
        }
    }
    const double hinge = margin + positive - negative;
    return {hinge < 0 ? 0 : hinge, share, !(hinge < 0)};
}

// Distances 1 - cosine, so the value is margin - cos(a, p) + k_a cos(a, n) + k_p cos(p, n). The gradient of each input is a
// combination of all three rows: that of input k is c[3k] a + c[3k+1] p + c[3k+2] n.
struct CosineTriplet {
    LOSSLIB_INLINE void combine(const Cosine& positive, const Cosine& negative, const Cosine& between, double share,
                                double scale, double* c) const {
        const double k_a = scale * share, k_p = scale * (1 - share);
        const double cross = share == 1 ? 0 : between.cross;
        c[0] = scale * positive.cross * positive.ratio_x - k_a * negative.cross * negative.ratio_x;
        c[1] = -scale * positive.cross;
        c[2] = k_a * negative.cross;
        c[3] = -scale * positive.cross;
        c[4] = scale * positive.cross * positive.ratio_y - k_p * cross * between.ratio_x;
        c[5] = k_p * cross;
        c[6] = k_a * negative.cross;
        c[7] = k_p * cross;
        c[8] = -k_a * negative.cross * negative.ratio_y - k_p * cross * between.ratio_y;
    }
};

}  // namespace losslib
