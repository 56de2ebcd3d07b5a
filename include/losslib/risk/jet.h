// Value, slope and curvature of a term of a survival loss by the prediction.
#pragma once

namespace losslib {

struct Term {
    double value, slope, curvature;
};

}  // namespace losslib
