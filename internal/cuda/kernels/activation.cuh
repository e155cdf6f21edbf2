// Elementwise functions of one variable with parameters a and b, and their derivatives. The numbers are those of kernel.UnaryKind in
// Go; a test runs all of them against it. Functions made of exponentials are computed in float64 where float32 would lose digits.
__device__ __forceinline__ float between(float x, float lo, float hi) {
	if (x < lo) x = lo;
	if (x > hi) x = hi;
	return x;
}

__device__ __forceinline__ double sigmoid64(double x) {
	double e = exp(-fabs(x));
	return x < 0 ? e / (1 + e) : 1 / (1 + e);
}

__device__ __forceinline__ double softplus_tanh(double x) { // tanh(log(1+e^x)) = n/(n+2) with n = e^x (e^x+2)
	double e = exp(x < 40 ? x : 40.0), n = e * (e + 2);
	return x != x ? x : n / (n + 2);
}

__device__ __forceinline__ double limited(double x, double to) { return x < -to ? -to : x > to ? to : x; }

#define TANH_SCALE 1.5957691216057307117597842397375 // 2 sqrt(2/pi)
#define TANH_CUBE 0.044715
#define SQRT_HALF 0.70710678118654752440084436210485
#define INV_SQRT_PI 0.56418958354775628694807945156077

__device__ __noinline__ static float activate(int kind, float x, float a, float b) {
	switch (kind) {
	case 1: return x < 0 ? 0.0f : x;
	case 2: return between(x, 0, 6);
	case 3: return between(x, a, b);
	case 4: return (float)sigmoid64(x);
	case 5: return (float)(x * sigmoid64((double)a * x));
	case 6: return between(a * x + b, 0, 1);
	case 7: return x * between(x * (1.0f / 6) + 0.5f, 0, 1);
	case 8: return (float)(0.5 * x * erfc(-x * SQRT_HALF));
	case 9: return (float)(x * sigmoid64(TANH_SCALE * x * (1 + TANH_CUBE * x * x)));
	case 10: return (float)tanh((double)x);
	case 11: return (float)((x < 0 ? 0.0 : (double)x) + log1p(exp(-fabs((double)x))));
	case 12: return (float)(x * softplus_tanh(x));
	case 13: return x / (1 + fabsf(x));
	case 14: return x < 0 ? a * x : x;
	case 15: return x > 0 ? x : (float)(a * expm1((double)x));
	case 16: return x > 0 ? x : (float)(a * expm1((double)x / a));
	case 17: return x > 0 ? b * x : (float)((double)b * a * expm1((double)x));
	case 18: return (float)exp((double)x);
	case 19: return (float)log((double)x);
	case 20: return sqrtf(x);
	case 21: return 1 / x;
	case 22: return fabsf(x);
	case 23: return -x;
	case 24: return (float)erf((double)x);
	case 25: return (float)sin((double)x);
	case 26: return (float)cos((double)x);
	case 27: return x * x;
	case 28: return floorf(x);
	case 29: return ceilf(x);
	case 30: return rintf(x);
	case 31: return x > 0 ? 1.0f : x < 0 ? -1.0f : x;
	}
	return x;
}

__device__ __noinline__ static float slope(int kind, float x, float a, float b) {
	double y, s, t;
	switch (kind) {
	case 1: return x > 0 ? 1 : 0;
	case 2: return x > 0 && x < 6 ? 1 : 0;
	case 3: return x >= a && x <= b ? 1 : 0;
	case 4: return (float)(sigmoid64(x) * sigmoid64(-(double)x));
	case 5:
		y = limited((double)a * x, 700), s = sigmoid64(y); // so that infinity times zero is zero
		return (float)(s + y * s * sigmoid64(-y));
	case 6: return a * x + b > 0 && a * x + b < 1 ? a : 0;
	case 7: return x <= -3 ? 0 : x >= 3 ? 1 : x / 3 + 0.5f;
	case 8:
		t = limited(x, 40);
		return (float)(0.5 * erfc(-t * SQRT_HALF) + t * exp(-0.5 * t * t) * (INV_SQRT_PI * SQRT_HALF));
	case 9:
		t = limited(x, 40);
		y = TANH_SCALE * t * (1 + TANH_CUBE * t * t), s = sigmoid64(y);
		return (float)(s + t * s * sigmoid64(-y) * TANH_SCALE * (1 + 3 * TANH_CUBE * t * t));
	case 10: return (float)(4 * sigmoid64(2.0 * x) * sigmoid64(-2.0 * x));
	case 11: return (float)sigmoid64(x);
	case 12:
		y = limited(x, 700), t = softplus_tanh(y);
		return (float)(t + y * (1 - t * t) * sigmoid64(y));
	case 13: return 1 / ((1 + fabsf(x)) * (1 + fabsf(x)));
	case 14: return x > 0 ? 1 : a;
	case 15: return x > 0 ? 1 : (float)(a * exp((double)x));
	case 16: return x > 0 ? 1 : (float)exp((double)x / a);
	case 17: return x > 0 ? b : (float)((double)b * a * exp((double)x));
	case 18: return (float)exp((double)x);
	case 19: return 1 / x;
	case 20: return 0.5f / sqrtf(x);
	case 21: return -1 / (x * x);
	case 22: return x > 0 ? 1.0f : x < 0 ? -1.0f : x;
	case 23: return -1;
	case 24: return (float)(2 * INV_SQRT_PI * exp(-(double)x * x));
	case 25: return (float)cos((double)x);
	case 26: return (float)-sin((double)x);
	case 27: return 2 * x;
	case 28: case 29: case 30: case 31: return 0;
	}
	return 1;
}
