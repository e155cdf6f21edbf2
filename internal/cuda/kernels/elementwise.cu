// Kernels that treat each element alone: thread e has element e % size of sample e / size.
#define EACH \
	unsigned e = thread_id(); \
	if (e >= total) return; \
	unsigned s = e / size, i = e % size; \
	(void)s, (void)i;

KERNEL copy_f32(float *y, i64 ys, const float *x, i64 xs, unsigned size, unsigned total) {
	EACH
	y[s * ys + i] = x[s * xs + i];
}

// The gradient of a choice of channels: x where element i is one of those from lo on, as many as x has, zero elsewhere.
KERNEL pad_f32(float *y, i64 ys, const float *x, i64 xs, unsigned lo, unsigned n, unsigned size, unsigned total) {
	EACH
	y[s * ys + i] = i >= lo && i - lo < n ? x[s * xs + i - lo] : 0.0f;
}

KERNEL unary_f32(float *y, i64 ys, const float *x, i64 xs, int kind, float a, float b, unsigned size, unsigned total) {
	EACH
	y[s * ys + i] = activate(kind, x[s * xs + i], a, b);
}

// dx = dy f'(x), zero where f' is zero whatever dy is.
KERNEL unary_grad_f32(float *dx, i64 ds, const float *dy, i64 gs, const float *x, i64 xs, int kind, float a, float b, unsigned size, unsigned total) {
	EACH
	float f = slope(kind, x[s * xs + i], a, b);
	dx[s * ds + i] = f == 0 ? 0.0f : dy[s * gs + i] * f;
}

// limit has one element or as many as a sample (limits).
KERNEL clip_f32(float *y, i64 ys, const float *x, i64 xs, const float *limit, unsigned limits, unsigned size, unsigned total) {
	EACH
	float v = x[s * xs + i], l = limit[limits == 1 ? 0 : i];
	y[s * ys + i] = v > l ? l : v;
}

KERNEL clip_grad_f32(float *dx, i64 ds, const float *dy, i64 gs, const float *x, i64 xs, const float *limit, unsigned limits, unsigned size, unsigned total) {
	EACH
	dx[s * ds + i] = x[s * xs + i] <= limit[limits == 1 ? 0 : i] ? dy[s * gs + i] : 0.0f;
}

// y = relu?(scale[c] x + shift[c]), c = i / plane.
KERNEL affine_f32(float *y, i64 ys, const float *x, i64 xs, const float *scale, const float *shift, unsigned plane, int relu, unsigned size, unsigned total) {
	EACH
	unsigned c = i / plane;
	float v = fmaf(scale[c], x[s * xs + i], shift[c]);
	y[s * ys + i] = relu && v < 0 ? 0.0f : v;
}

// The gradient of that by x; y is the value, NULL without a ReLU.
KERNEL affine_grad_f32(float *dx, i64 ds, const float *dy, i64 gs, const float *scale, const float *y, i64 ys, unsigned plane, unsigned size, unsigned total) {
	EACH
	dx[s * ds + i] = !y || y[s * ys + i] > 0 ? scale[i / plane] * dy[s * gs + i] : 0.0f;
}

__device__ inline float binary(int op, float a, float b) {
	switch (op) {
	case 0: return a + b;
	case 1: return a - b;
	case 2: return a * b;
	case 3: return a / b;
	case 4: return a != a ? a : b != b ? b : a < b ? b : a;
	case 5: return a != a ? a : b != b ? b : b < a ? b : a;
	case 6: return a < b;
	case 7: return a <= b;
	case 8: return a == b;
	case 9: return a != 0 && b != 0;
	case 10: return a != 0 || b != 0;
	case 11: return (a != 0) != (b != 0);
	case 12: return a == 0; // not; b is a again
	case 13: return a != 0 ? b : 0;
	case 14: return a == 0 ? b : 0;
	case 15: return (float)pow((double)a, (double)b);
	case 16: return a < 0 ? b * a : a;
	}
	return 0;
}

KERNEL binary_f32(float *y, i64 ys, const float *a, i64 as, const float *b, i64 bs, int op, unsigned size, unsigned total) {
	EACH
	y[s * ys + i] = binary(op, a[s * as + i], b[s * bs + i]);
}

// A result of up to six axes whose inputs repeat along some: strides of the inputs are zero there. Inputs lie in one piece.
struct axes { int n, size[6], a[6], b[6]; };

KERNEL broadcast_f32(float *y, i64 ys, const float *a, const float *b, axes x, int op, unsigned size, unsigned total) {
	EACH
	i64 at = 0, bt = 0;
	unsigned left = e;
	for (int k = x.n - 1; k >= 0; k--) {
		unsigned j = left % x.size[k];
		left /= x.size[k];
		at += (i64)j * x.a[k];
		bt += (i64)j * x.b[k];
	}
	y[s * ys + i] = binary(op, a[at], b[bt]);
}

// Functions of three variables.
__device__ inline float share(float g, float a, float b) { return a < b ? 0.0f : a == b ? g / 2 : g; }

__device__ inline float ternary(int op, float a, float b, float c) {
	float f;
	switch (op) {
	case 0: return a != 0 ? b : c;
	case 1: return share(a, b, c);
	case 2: return share(a, c, b);
	case 3: return c == 0 ? 0.0f : a * c * (float)pow((double)b, (double)(c - 1)); // of the power b^c by b, times a
	case 4: // of a parametric ReLU by a, with slope b, times c
		f = a > 0 ? 1.0f : b;
		return f == 0 ? 0.0f : c * f;
	}
	return 0;
}

struct axes3 { int n, size[6], a[6], b[6], c[6]; };

KERNEL broadcast3_f32(float *y, i64 ys, const float *a, const float *b, const float *c, axes3 x, int op, unsigned size, unsigned total) {
	EACH
	i64 at = 0, bt = 0, ct = 0;
	unsigned left = e;
	for (int k = x.n - 1; k >= 0; k--) {
		unsigned j = left % x.size[k];
		left /= x.size[k];
		at += (i64)j * x.a[k];
		bt += (i64)j * x.b[k];
		ct += (i64)j * x.c[k];
	}
	y[s * ys + i] = ternary(op, a[at], b[bt], c[ct]);
}

KERNEL divide_f32(float *y, i64 ys, const float *x, i64 xs, float by, unsigned size, unsigned total) {
	EACH
	y[s * ys + i] = x[s * xs + i] / by;
}

KERNEL fill_f32(float *y, float v, unsigned total) {
	unsigned e = thread_id();
	if (e < total) y[e] = v;
}

// Elements from one arrangement to another, in row-major order of an array of up to eight axes.
struct arrangement { int n, size[8], src[8], dst[8]; };

KERNEL move_f32(float *dst, const float *src, arrangement x, unsigned total) {
	unsigned e = thread_id();
	if (e >= total) return;
	i64 from = 0, to = 0;
	for (int k = x.n - 1; k >= 0; k--) {
		unsigned j = e % x.size[k];
		e /= x.size[k];
		from += (i64)j * x.src[k];
		to += (i64)j * x.dst[k];
	}
	dst[to] = src[from];
}

// Rows of a table that belong to the class of each sample.
KERNEL class_mask_f32(float *y, i64 ys, const float *z, i64 zs, const float *table, const i64 *cls, int classes, i64 *status, int op, unsigned size, unsigned total) {
	EACH
	if (class_ok(status, op, s, cls[s], classes)) y[s * ys + i] = z[s * zs + i] * table[cls[s] * size + i];
}

KERNEL class_clip_f32(float *y, i64 ys, const float *z, i64 zs, const float *table, const i64 *cls, int classes, i64 *status, int op, unsigned size, unsigned total) {
	EACH
	if (!class_ok(status, op, s, cls[s], classes)) return;
	float v = z[s * zs + i], l = table[cls[s] * size + i];
	y[s * ys + i] = v > l ? l : v;
}

KERNEL class_clip_grad_f32(float *dx, i64 ds, const float *dy, i64 gs, const float *z, i64 zs, const float *table, const i64 *cls, int classes, i64 *status, int op, unsigned size, unsigned total) {
	EACH
	if (class_ok(status, op, s, cls[s], classes)) dx[s * ds + i] = z[s * zs + i] <= table[cls[s] * size + i] ? dy[s * gs + i] : 0.0f;
}

// y[s, i] = x[s] at i = cls[s], zero elsewhere.
KERNEL scatter_f32(float *y, i64 ys, const float *x, const i64 *cls, int classes, i64 *status, int op, unsigned size, unsigned total) {
	EACH
	if (class_ok(status, op, s, cls[s], classes)) y[s * ys + i] = i == cls[s] ? x[s] : 0.0f;
}

KERNEL gather_f32(float *y, const float *x, i64 xs, const i64 *cls, int classes, i64 *status, int op, unsigned n) {
	unsigned s = thread_id();
	if (s < n && class_ok(status, op, s, cls[s], classes)) y[s] = x[s * xs + cls[s]];
}

KERNEL select_class(i64 *y, const i64 *label, const i64 *fallback, unsigned n) {
	unsigned s = thread_id();
	if (s < n) y[s] = label[s] < 0 ? fallback[s] : label[s];
}
