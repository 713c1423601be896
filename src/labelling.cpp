// From class scores at the patch grid to labels and confidence, on the CPU. Called by ovseg_ros/clipseg/labelling.py.
//
// The scores are interpolated bilinearly: between four points of the grid every class's score is
// a + b x + c y + d x y. Two things follow for a tile that lies there:
// - its extremes lie in the tile's corners. A class that nowhere reaches the best class's lowest corner cannot win,
//   and one that stays FAR below it adds nothing to the softmax's sum; both are left out unseen;
// - along a row, exp(score) is a geometric series: a pixel costs one product for each class, no exponential.
// A vector holds the rows of a tile and goes through its columns.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <vector>

#if defined(__x86_64__) && defined(__gnu_linux__)
#define FOR_EACH_CPU __attribute__((target_clones("avx2", "default")))
#else
#define FOR_EACH_CPU
#endif
#define INLINE static inline __attribute__((always_inline))

namespace {

constexpr int LANES = 8;
typedef float Floats __attribute__((vector_size(4 * LANES)));
typedef int32_t Ints __attribute__((vector_size(4 * LANES)));

constexpr int GROUP = 4;            // classes side by side, which hides the latency of a product
constexpr int COLUMNS = 32;         // of a tile at most: rounding errors grow along the series
constexpr int ROWS = 2 * LANES;     // of a tile at most: a lower one leaves out more classes
constexpr float FAR = 16.0f;        // a class that far below changes a probability by less than exp(-16), 1e-7
constexpr float DEEPEST = 80.0f;    // below a tile's highest score; exp(-87) is the last normal number
constexpr float NOWHERE = -1e30f;   // the score of a class that only fills up a vector or a group
constexpr uint8_t UNLABELLED = 255;

// Pixels of one axis that lie between the same two points of the grid, pixel centres aligned.
struct Span {
  int begin, size;
  int first, second;   // points of the grid; one and the same at the border
  float weight, step;  // of `second` at `begin`, and its gain with each pixel
};

std::vector<Span> spans_of(int pixels, int points, int longest) {
  std::vector<Span> spans;
  const double step = static_cast<double>(points) / pixels;
  for (int pixel = 0; pixel < pixels; ++pixel) {
    const double position = (pixel + 0.5) * step - 0.5;
    const int cell = static_cast<int>(std::floor(position));
    const int first = std::max(cell, 0), second = std::min(cell + 1, points - 1);
    if (!spans.empty() && spans.back().size < longest && spans.back().first == first &&
        spans.back().second == second)
      ++spans.back().size;
    else
      spans.push_back({pixel, 1, first, second, static_cast<float>(position - cell), static_cast<float>(step)});
  }
  return spans;
}

// A rectangle of pixels within one cell of the grid, relative to the cell's spans.
struct Tile {
  int column, columns, row, rows;
};

// A class's score in a tile: at the first pixel, and its gain with a column, a row, and both.
struct Plane {
  float start, by_column, by_row, by_both;
  int id;
  float threshold, value;
};
constexpr Plane FILLER = {NOWHERE, 0.0f, 0.0f, 0.0f, 0, 0.0f, 0.0f};

struct Labeller {
  int classes, padded;  // padded: to whole vectors
  int width;
  const uint8_t *ids;
  const float *thresholds, *values;
  uint8_t *labels, *confidence;
  std::vector<float> low, high;
  std::vector<Plane> rivals, others;  // classes that may win, and those that count in the sum alone
};

INLINE Floats least(Floats a, Floats b) { return a < b ? a : b; }
INLINE Floats most(Floats a, Floats b) { return a > b ? a : b; }
INLINE Floats load(const float *from) {
  Floats loaded;
  std::memcpy(&loaded, from, sizeof loaded);
  return loaded;
}
INLINE void store(Floats floats, float *to) { std::memcpy(to, &floats, sizeof floats); }
INLINE Ints rounded(Floats values) { return __builtin_convertvector(values + 0.5f, Ints); }

// Columns of LANES pixels to rows of an image that is `width` wide, from `to` on. The columns' room is changed.
INLINE void write_rows(Ints *columns, int count, int rows, int64_t width, uint8_t *to) {
  Ints fours[COLUMNS / 4];
  const int words = (count + 3) / 4;
  for (int c = count; c < 4 * words; ++c) columns[c] = Ints{};
  for (int i = 0; i < words; ++i) {
    const Ints *four = columns + 4 * i;
    fours[i] = four[0] | four[1] << 8 | four[2] << 16 | four[3] << 24;
  }
  for (int r = 0; r < rows; ++r) {
    int32_t line[COLUMNS / 4];
    for (int i = 0; i < words; ++i) line[i] = fours[i][r];
    std::memcpy(to + r * width, line, count);
  }
}

// exp(x) to 2e-7 of itself for -87 <= x <= 87, and that of the nearer end elsewhere: 2^n by the exponent's bits,
// 2^f on [-0.5, 0.5] by its series.
INLINE Floats exp_of(Floats x) {
  x = least(most(x, Floats{} - 87.0f), Floats{} + 87.0f);
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

// exp(score - highest) of SIZE classes in LANES rows, column after column.
template <int SIZE>
struct Series {
  Floats now[SIZE], ratio[SIZE];
};

template <int SIZE>
INLINE Series<SIZE> series_of(const Plane *planes, int row, float highest) {
  const Floats rows = Floats{0, 1, 2, 3, 4, 5, 6, 7} + static_cast<float>(row);
  Series<SIZE> series;
  for (int g = 0; g < SIZE; ++g) {
    series.now[g] = exp_of(planes[g].start - highest + rows * planes[g].by_row);
    series.ratio[g] = exp_of(planes[g].by_column + rows * planes[g].by_both);
  }
  return series;
}

template <int SIZE>
INLINE void advance(Series<SIZE> &series) {
  for (int g = 0; g < SIZE; ++g) series.now[g] *= series.ratio[g];
}

// Labels and confidence of LANES rows of a tile, from `row` of it.
INLINE void write_labels(const Labeller &to, const Tile &tile, int row, float highest, int x, int y) {
  Floats sum[COLUMNS], best[COLUMNS], threshold[COLUMNS];
  Ints id[COLUMNS];
  const Plane *rivals = to.rivals.data();
  auto first = series_of<1>(rivals, row, highest);
  for (int c = 0; c < tile.columns; ++c, advance(first)) {
    sum[c] = best[c] = first.now[0];
    threshold[c] = Floats{} + rivals[0].threshold;
    id[c] = Ints{} + rivals[0].id;
  }
  for (int i = 1; i < static_cast<int>(to.rivals.size()); i += GROUP) {
    auto series = series_of<GROUP>(rivals + i, row, highest);
    for (int c = 0; c < tile.columns; ++c, advance(series)) {
      for (int g = 0; g < GROUP; ++g) {
        const Ints better = series.now[g] > best[c];
        sum[c] += series.now[g];
        best[c] = better ? series.now[g] : best[c];
        threshold[c] = better ? Floats{} + rivals[i + g].threshold : threshold[c];
        id[c] = better ? Ints{} + rivals[i + g].id : id[c];
      }
    }
  }
  for (int i = 0; i < static_cast<int>(to.others.size()); i += GROUP) {
    auto series = series_of<GROUP>(&to.others[i], row, highest);
    for (int c = 0; c < tile.columns; ++c, advance(series))
      sum[c] += (series.now[0] + series.now[1]) + (series.now[2] + series.now[3]);
  }
  Ints labels[COLUMNS], confidence[COLUMNS];
  for (int c = 0; c < tile.columns; ++c) {
    const Floats probability = best[c] / sum[c];
    labels[c] = probability < threshold[c] ? Ints{} + UNLABELLED : id[c];
    confidence[c] = rounded(255.0f * probability);
  }
  const int64_t at = static_cast<int64_t>(y) * to.width + x;
  write_rows(labels, tile.columns, std::min(LANES, tile.rows - row), to.width, to.labels + at);
  write_rows(confidence, tile.columns, std::min(LANES, tile.rows - row), to.width, to.confidence + at);
}

// The mean of the classes' values instead, to the confidence.
INLINE void write_mean(const Labeller &to, const Tile &tile, int row, float highest, int x, int y) {
  Floats sum[COLUMNS], mean[COLUMNS];
  for (int c = 0; c < tile.columns; ++c) sum[c] = mean[c] = Floats{};
  for (int i = 0; i < static_cast<int>(to.others.size()); i += GROUP) {
    auto series = series_of<GROUP>(&to.others[i], row, highest);
    for (int c = 0; c < tile.columns; ++c, advance(series)) {
      for (int g = 0; g < GROUP; ++g) {
        sum[c] += series.now[g];
        mean[c] += series.now[g] * to.others[i + g].value;
      }
    }
  }
  Ints confidence[COLUMNS];
  for (int c = 0; c < tile.columns; ++c) confidence[c] = rounded(mean[c] / sum[c]);
  write_rows(confidence, tile.columns, std::min(LANES, tile.rows - row), to.width,
             to.confidence + static_cast<int64_t>(y) * to.width + x);
}

// Labels or means of a tile; false, and nothing written, if its scores are too far apart.
// `top` and `bottom`: scores of the span's first and last row at every column of the grid, [grid_width][padded].
INLINE bool write_tile(Labeller &to, const Span &across, const Span &down, const float *top, const float *bottom,
                       const Tile &tile) {
  const float *tl = top + across.first * to.padded, *tr = top + across.second * to.padded;
  const float *bl = bottom + across.first * to.padded, *br = bottom + across.second * to.padded;
  const float left = across.weight + across.step * static_cast<float>(tile.column);
  const float right = left + across.step * static_cast<float>(tile.columns - 1);
  const float per_row = down.size > 1 ? 1.0f / static_cast<float>(down.size - 1) : 0.0f;
  const float upper = per_row * static_cast<float>(tile.row);
  const float lower = per_row * static_cast<float>(tile.row + tile.rows - 1);
  Floats reached = Floats{} - INFINITY;
  for (int k = 0; k < to.padded; k += LANES) {
    const Floats top_slope = load(tr + k) - load(tl + k), bottom_slope = load(br + k) - load(bl + k);
    const Floats top_start = load(tl + k) + left * top_slope, top_end = load(tl + k) + right * top_slope;
    const Floats down_start = load(bl + k) + left * bottom_slope - top_start;
    const Floats down_end = load(bl + k) + right * bottom_slope - top_end;
    const Floats a = top_start + upper * down_start, b = top_end + upper * down_end;
    const Floats c = top_start + lower * down_start, d = top_end + lower * down_end;
    const Floats low = least(least(a, b), least(c, d));
    store(low, &to.low[k]);
    store(most(most(a, b), most(c, d)), &to.high[k]);
    reached = most(reached, low);
  }
  float best_low = reached[0];
  for (int i = 1; i < LANES; ++i) best_low = std::max(best_low, reached[i]);

  to.rivals.clear(), to.others.clear();
  float highest = -INFINITY, lowest = INFINITY;
  for (int k = 0; k < to.classes; ++k) {
    if (to.high[k] < best_low - FAR) continue;
    highest = std::max(highest, to.high[k]);
    lowest = std::min(lowest, to.low[k]);
    const float top_slope = tr[k] - tl[k], bottom_slope = br[k] - bl[k];
    const float by_both = per_row * (bottom_slope - top_slope);
    const float by_column = top_slope + by_both * static_cast<float>(tile.row);
    const float top_start = tl[k] + left * top_slope, bottom_start = bl[k] + left * bottom_slope;
    const float by_row = per_row * (bottom_start - top_start);
    Plane plane = {top_start + by_row * static_cast<float>(tile.row), by_column * across.step, by_row,
                   by_both * across.step, 0, 0.0f, 0.0f};
    if (to.values != nullptr)
      plane.value = to.values[k];
    else
      plane.id = to.ids[k], plane.threshold = to.thresholds[k];
    (to.values == nullptr && to.high[k] >= best_low ? to.rivals : to.others).push_back(plane);
  }
  if (highest - lowest > DEEPEST && (tile.columns > 1 || tile.rows > 1)) return false;
  const int x = across.begin + tile.column, y = down.begin + tile.row;
  if (to.rivals.size() == 1 && to.others.empty()) {
    for (int64_t row = y; row < y + tile.rows; ++row) {
      std::memset(to.labels + row * to.width + x, to.rivals[0].id, tile.columns);
      std::memset(to.confidence + row * to.width + x, 255, tile.columns);
    }
    return true;
  }
  while (to.values == nullptr && to.rivals.size() % GROUP != 1) to.rivals.push_back(FILLER);
  while (to.others.size() % GROUP != 0) to.others.push_back(FILLER);
  for (int row = 0; row < tile.rows; row += LANES) {
    if (to.values == nullptr)
      write_labels(to, tile, row, highest, x, y + row);
    else
      write_mean(to, tile, row, highest, x, y + row);
  }
  return true;
}

}  // namespace

// Output rows first_row to last_row, in whole tiles: those that begin there.
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
  Labeller to;
  to.classes = classes, to.padded = (classes + LANES - 1) / LANES * LANES, to.width = width;
  to.ids = ids, to.thresholds = thresholds, to.values = values, to.labels = labels, to.confidence = confidence;
  to.low.resize(to.padded), to.high.resize(to.padded);
  std::vector<float> top(static_cast<size_t>(grid_width) * to.padded, NOWHERE), bottom(top);
  std::vector<Tile> pending;
  const std::vector<Span> columns = spans_of(width, grid_width, COLUMNS);
  for (const Span &down : spans_of(height, grid_height, ROWS)) {
    if (down.begin < first_row || down.begin >= last_row) continue;
    const int64_t row_size = static_cast<int64_t>(grid_width) * classes;
    const float *above = scores + down.first * row_size, *below = scores + down.second * row_size;
    const float last_weight = down.weight + down.step * static_cast<float>(down.size - 1);
    for (int column = 0; column < grid_width; ++column) {
      float *top_scores = &top[static_cast<size_t>(column) * to.padded];
      float *bottom_scores = &bottom[static_cast<size_t>(column) * to.padded];
      for (int k = 0; k < classes; ++k) {
        const int64_t at = static_cast<int64_t>(column) * classes + k;
        top_scores[k] = above[at] + down.weight * (below[at] - above[at]);
        bottom_scores[k] = above[at] + last_weight * (below[at] - above[at]);
      }
    }
    for (const Span &across : columns) {
      pending.push_back({0, across.size, 0, down.size});
      while (!pending.empty()) {
        const Tile tile = pending.back();
        pending.pop_back();
        if (write_tile(to, across, down, top.data(), bottom.data(), tile)) continue;
        Tile a = tile, b = tile;
        if (tile.columns > 1)
          a.columns /= 2, b.column += a.columns, b.columns -= a.columns;
        else
          a.rows /= 2, b.row += a.rows, b.rows -= a.rows;
        pending.push_back(a), pending.push_back(b);
      }
    }
  }
}
