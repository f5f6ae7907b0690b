// Element-wise passes of Kokoro's network, fused. Signals are (time, channels) rows.
//
// norm_act: residual = x + add; y = activation(instance_norm(residual) * (1 + gain) + shift)
// average:  y = leaky((r0 + p0 + r1 + p1 + r2 + p2) / 3)
//
// Types are told by an int: 0 is float32, 1 is bfloat16 (the upper half of a float32).
// Compiled once on the user's machine by native.py, for exactly that processor.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <thread>
#include <vector>

namespace {

using bf16 = uint16_t;

inline float load(const float* p) { return *p; }
inline float load(const bf16* p) {
    const uint32_t bits = static_cast<uint32_t>(*p) << 16;
    float value;
    std::memcpy(&value, &bits, sizeof value);
    return value;
}
inline void store(float* p, float value) { *p = value; }
inline void store(bf16* p, float value) {  // round to nearest even
    uint32_t bits;
    std::memcpy(&bits, &value, sizeof bits);
    bits += 0x7fff + ((bits >> 16) & 1);
    *p = static_cast<bf16>(bits >> 16);
}

// sin(u)^2 to about 1e-6: it has period pi, so u is brought to [-pi/2, pi/2] in two steps.
inline float sine_squared(float u) {
    const float turns = __builtin_rintf(u * 0.318309886f);
    float r = u - turns * 3.140625f;
    r -= turns * 9.67653589793e-4f;
    const float r2 = r * r;
    const float s = r * (1.f + r2 * (-1.6666654611e-1f +
                                     r2 * (8.3321608736e-3f + r2 * (-1.9515295891e-4f + r2 * 2.0e-6f))));
    return s * s;
}

// Calls f(part) for part in [0, parts), each on its own thread.
template <class F>
void in_parallel(int parts, const F& f) {
    if (parts == 1) return f(0);
    std::vector<std::thread> threads;
    for (int part = 1; part < parts; ++part) threads.emplace_back(f, part);
    f(0);
    for (auto& thread : threads) thread.join();
}

constexpr int64_t kBlock = 128;  // rows summed in float before going over to double

template <class X, class A>
void sums(const X* x, const A* add, float* residual, int64_t first, int64_t last, int channels,
          double* total, double* squares) {
    std::vector<float> block(2 * static_cast<size_t>(channels));
    float *part = block.data(), *part2 = part + channels;
    for (int64_t begin = first; begin < last; begin += kBlock) {
        const int64_t end = std::min(begin + kBlock, last);
        std::fill(block.begin(), block.end(), 0.f);
        for (int64_t t = begin; t < end; ++t) {
            const X* row = x + t * channels;
            if (add) {
                const A* added = add + t * channels;
                float* out = residual + t * channels;
#pragma GCC ivdep
                for (int c = 0; c < channels; ++c) {
                    const float v = load(row + c) + load(added + c);
                    out[c] = v;
                    part[c] += v;
                    part2[c] += v * v;
                }
            } else {
#pragma GCC ivdep
                for (int c = 0; c < channels; ++c) {
                    const float v = load(row + c);
                    part[c] += v;
                    part2[c] += v * v;
                }
            }
        }
        for (int c = 0; c < channels; ++c) total[c] += part[c], squares[c] += part2[c];
    }
}

template <class X, class O>
void activate(const X* x, const float* scale, const float* offset, const float* alpha,
              const float* inverse, float slope, O* y, int64_t first, int64_t last, int channels) {
    for (int64_t t = first; t < last; ++t) {
        const X* row = x + t * channels;
        O* out = y + t * channels;
        if (alpha) {
#pragma GCC ivdep
            for (int c = 0; c < channels; ++c) {
                const float v = load(row + c) * scale[c] + offset[c];
                store(out + c, v + inverse[c] * sine_squared(alpha[c] * v));
            }
        } else {
#pragma GCC ivdep
            for (int c = 0; c < channels; ++c) {
                const float v = load(row + c) * scale[c] + offset[c];
                store(out + c, v > 0 ? v : slope * v);
            }
        }
    }
}

template <class X, class A, class O>
void norm_act(const X* x, const A* add, float* residual, const float* gain, const float* shift,
              const float* alpha, float slope, O* y, int64_t rows, int channels, int threads) {
    const auto width = static_cast<size_t>(channels);
    std::vector<double> statistics(2 * width * threads, 0.0);
    const auto bound = [&](int part) { return rows * part / threads; };
    in_parallel(threads, [&](int part) {
        double* total = &statistics[2 * width * part];
        sums(x, add, residual, bound(part), bound(part + 1), channels, total, total + width);
    });
    std::vector<float> scale(width), offset(width), inverse(width);
    for (int c = 0; c < channels; ++c) {
        double mean = 0, square = 0;
        for (int part = 0; part < threads; ++part) {
            mean += statistics[2 * width * part + c];
            square += statistics[2 * width * part + width + c];
        }
        mean /= static_cast<double>(rows);
        const double variance = std::max(square / static_cast<double>(rows) - mean * mean, 0.0);
        const double factor = (1.0 + gain[c]) / std::sqrt(variance + 1e-5);
        scale[c] = static_cast<float>(factor);
        offset[c] = static_cast<float>(shift[c] - mean * factor);
        if (alpha) inverse[c] = 1.f / alpha[c];
    }
    in_parallel(threads, [&](int part) {
        if (add)
            activate(static_cast<const float*>(residual), scale.data(), offset.data(), alpha,
                     inverse.data(), slope, y, bound(part), bound(part + 1), channels);
        else
            activate(x, scale.data(), offset.data(), alpha, inverse.data(), slope, y, bound(part),
                     bound(part + 1), channels);
    });
}

template <class P, class O>
void average(const float* const* residuals, const void* const* pending, float slope, O* y,
             int64_t first, int64_t last) {
    const float *r0 = residuals[0], *r1 = residuals[1], *r2 = residuals[2];
    const auto *p0 = static_cast<const P*>(pending[0]), *p1 = static_cast<const P*>(pending[1]),
               *p2 = static_cast<const P*>(pending[2]);
#pragma GCC ivdep
    for (int64_t i = first; i < last; ++i) {
        const float v =
            (r0[i] + load(p0 + i) + r1[i] + load(p1 + i) + r2[i] + load(p2 + i)) * (1.f / 3.f);
        store(y + i, v > 0 ? v : slope * v);
    }
}

}  // namespace

extern "C" {

void kokoro_norm_act(const void* x, int x_type, const void* add, int add_type, float* residual,
                     const float* gain, const float* shift, const float* alpha, float slope,
                     void* y, int y_type, int64_t rows, int channels, int threads) {
#define RUN(X, A, O)                                                                            \
    norm_act<X, A, O>(static_cast<const X*>(x), static_cast<const A*>(add), residual, gain,     \
                      shift, alpha, slope, static_cast<O*>(y), rows, channels, threads)
    switch (x_type * 4 + add_type * 2 + y_type) {
        case 0: RUN(float, float, float); break;
        case 1: RUN(float, float, bf16); break;
        case 2: RUN(float, bf16, float); break;
        case 3: RUN(float, bf16, bf16); break;
        case 4: RUN(bf16, float, float); break;
        case 5: RUN(bf16, float, bf16); break;
        case 6: RUN(bf16, bf16, float); break;
        default: RUN(bf16, bf16, bf16); break;
    }
#undef RUN
}

void kokoro_average(const float* const* residuals, const void* const* pending, int pending_type,
                    float slope, void* y, int y_type, int64_t count, int threads) {
    in_parallel(threads, [&](int part) {
        const int64_t first = count * part / threads, last = count * (part + 1) / threads;
        if (pending_type == 0 && y_type == 0)
            average<float>(residuals, pending, slope, static_cast<float*>(y), first, last);
        else if (pending_type == 0)
            average<float>(residuals, pending, slope, static_cast<bf16*>(y), first, last);
        else if (y_type == 0)
            average<bf16>(residuals, pending, slope, static_cast<float*>(y), first, last);
        else
            average<bf16>(residuals, pending, slope, static_cast<bf16*>(y), first, last);
    });
}

}  // extern "C"
