// From class scores at the patch grid to labels and confidence, on the CPU. Called by ovseg_ros/clipseg/labelling.py.
//
// Each output row mixes two rows of the grid once. Between two columns of the grid every score is then a straight
// line, which has its extremes at the ends. So a class that nowhere there reaches the best class's lowest end
// cannot win, and one that stays FAR below it adds nothing to the softmax's sum; both are left out unseen.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#if defined(__x86_64__) && defined(__gnu_linux__)
#define FOR_EACH_CPU __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define FOR_EACH_CPU
#endif
#define INLINE static inline __attribute__((always_inline))

namespace {

constexpr int LANES = 16;
typedef float Floats __attribute__((vector_size(4 * LANES)));
typedef int32_t Ints __attribute__((vector_size(4 * LANES)));

// A class this far below the best changes a probability by less than exp(-16), 1e-7.
constexpr float FAR = 16.0f;
constexpr uint8_t UNLABELLED = 255;

// A point of the output between two points of the grid, pixel centres aligned.
struct Place {
  int first, second;
  float weight;
};

INLINE Place place_of(int pixel, int pixels, int points) {
  const float scale = static_cast<float>(points) / static_cast<float>(pixels);
  const float position = std::max(0.0f, (static_cast<float>(pixel) + 0.5f) * scale - 0.5f);
  const int first = std::min(static_cast<int>(position), points - 1);
  return {first, std::min(first + 1, points - 1), position - static_cast<float>(first)};
}

INLINE uint8_t to_byte(float value) { return static_cast<uint8_t>(value + 0.5f); }

// exp(x) for x <= 0, to 2e-7 of itself: 2^n by the exponent's bits, 2^f on [-0.5, 0.5] by its series.
INLINE Floats exp_of_negative(Floats x) {
  x = x < -87.0f ? Floats{} - 87.0f : x;
  const Floats t = x * 1.44269504f;
  const Floats shifted = t + 12582912.0f;  // 1.5 * 2^23: the sum's low bits are t rounded to a whole number
  const Floats f = t - (shifted - 12582912.0f);
  Floats p = f * 1.5353362e-4f + 1.3398874e-3f;
  p = p * f + 9.6184370e-3f;
  p = p * f + 5.5503287e-2f;
  p = p * f + 2.4022648e-1f;
  p = p * f + 6.9314720e-1f;
  p = p * f + 1.0f;
  return (Floats)((Ints)p + ((Ints)shifted << 23));
}

}  // namespace

// Output rows first_row to last_row.
//   scores      logits at the grid, [grid_height][grid_width][classes]
//   ids         label of each class
//   thresholds  a class that wins with a lower probability is written as unlabelled
//   values      null, or a value of each class, 0 to 255: `confidence` then gets their mean under the classes'
//               probabilities instead of the winner's probability, and ids, thresholds and labels are not used
//   labels, confidence  [height][width]
extern "C" FOR_EACH_CPU void ovseg_label_rows(
    const float *scores, int32_t classes, int32_t grid_height, int32_t grid_width, int32_t height, int32_t width,
    const uint8_t *ids, const float *thresholds, const float *values, int32_t first_row, int32_t last_row,
    uint8_t *labels, uint8_t *confidence) {
  const int row_size = grid_width * classes;
  const int64_t row_bytes = width;
  std::vector<float> mixed(row_size), start(classes), slope(classes);
  std::vector<int> member(classes);
  std::vector<Place> places(width);
  for (int x = 0; x < width; ++x) places[x] = place_of(x, width, grid_width);

  for (int y = first_row; y < last_row; ++y) {
    const Place row = place_of(y, height, grid_height);
    const float *above = scores + static_cast<int64_t>(row.first) * row_size;
    const float *below = scores + static_cast<int64_t>(row.second) * row_size;
    for (int i = 0; i < row_size; ++i) mixed[i] = above[i] + row.weight * (below[i] - above[i]);

    for (int x = 0; x < width;) {
      const Place cell = places[x];
      const float *left = &mixed[cell.first * classes];
      const float *right = &mixed[cell.second * classes];
      float reached = -INFINITY;
      for (int k = 0; k < classes; ++k) {
        const float low = std::min(left[k], right[k]);
        reached = low > reached ? low : reached;
      }
      // Classes that may win first, then those that count in the sum alone.
      int possible = 0, counted = 0;
      for (int k = 0; k < classes; ++k) {
        const float high = std::max(left[k], right[k]);
        if (high < reached - FAR) continue;
        int at = counted++;
        if (high >= reached) {
          start[at] = start[possible], slope[at] = slope[possible], member[at] = member[possible];
          at = possible++;
        }
        start[at] = left[k], slope[at] = right[k] - left[k], member[at] = k;
      }

      int end = x;
      while (end < width && places[end].first == cell.first) ++end;
      for (; x < end; x += LANES) {
        const int lanes = std::min(LANES, end - x);
        Floats u{};
        for (int i = 0; i < lanes; ++i) u[i] = places[x + i].weight;
        Floats best = start[0] + u * slope[0];
        Ints winner{};
        for (int c = 1; c < possible; ++c) {
          const Floats score = start[c] + u * slope[c];
          const Ints better = score > best;
          best = better ? score : best;
          winner = better ? Ints{} + c : winner;
        }
        if (values != nullptr) {
          Floats sum{}, mean{};
          for (int c = 0; c < counted; ++c) {
            const Floats part = exp_of_negative(start[c] + u * slope[c] - best);
            sum += part;
            mean += part * values[member[c]];
          }
          mean /= sum;
          for (int i = 0; i < lanes; ++i) confidence[y * row_bytes + x + i] = to_byte(mean[i]);
          continue;
        }
        Floats sum{};
        for (int c = 0; c < counted; ++c) sum += exp_of_negative(start[c] + u * slope[c] - best);
        for (int i = 0; i < lanes; ++i) {
          const int k = member[winner[i]];
          const float probability = 1.0f / sum[i];
          labels[y * row_bytes + x + i] = probability < thresholds[k] ? UNLABELLED : ids[k];
          confidence[y * row_bytes + x + i] = to_byte(255.0f * probability);
        }
      }
      x = end;
    }
  }
}
