// Losses of two rows: value and slope of a row as functions of what the rows are compared by.
#pragma once

#include "losslib/core/inline.h"
#include "losslib/distance/cosine.h"
#include "losslib/distance/norms.h"

namespace losslib {

struct RowJet {
    double value, slope;
};

// Of the cosine: 1 - c for label 1, max(c - margin, 0) for label -1, at whose kink the gradient flows, as in PyTorch;
// 0 for any other label (which only check=False lets through), NaN for NaN.
struct CosineEmbedding {
    LOSSLIB_INLINE double added(double eps) const { return eps; }  // to the squares of both rows
    LOSSLIB_INLINE RowJet at(double cosine, double label, double margin) const {
        if (label == 1) return {1 - cosine, -1};
        if (label == -1) {
            const double hinge = cosine - margin;
            return {hinge < 0 ? 0 : hinge, hinge < 0 ? 0.0 : 1.0};
        }
        const double rest = label != label ? label : 0;
        return {rest, rest};
    }
    // True where the gradient is zero whatever the rows.
    LOSSLIB_INLINE bool is_flat(const Cosine&, double slope) const { return slope == 0; }
};

// Minus the cosine; a zero vector has no direction, and the gradient 0.
struct CosineSimilarity {
    LOSSLIB_INLINE double added(double) const { return 0; }
    LOSSLIB_INLINE RowJet at(double cosine, double, double) const { return {0 - cosine, -1}; }
    LOSSLIB_INLINE bool is_flat(const Cosine& cosine, double) const { return cosine.cross == 0; }
};

// Of the Euclidean distance d: t d^2 + (1 - t) max(margin - d, 0)^2. The slope is the coefficient of x - y in the gradient.
struct Contrastive {
    LOSSLIB_INLINE RowJet at(double square, double distance, double label, double margin) const {
        double hinge = margin - distance;
        if (hinge < 0) hinge = 0;
        RowJet jet = {0, 0};
        if (label != 0) {  // a term with coefficient 0 is not there, whatever the distance
            jet.value += label * square;
            jet.slope += 2 * label;
        }
        if (label != 1) {
            EuclideanNorm norm;
            norm.set_distance(distance);
            jet.value += (1 - label) * (hinge * hinge);
            jet.slope -= 2 * (1 - label) * hinge * norm.coefficient;
        }
        return jet;
    }
};

}  // namespace losslib
