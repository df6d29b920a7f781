/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A k-d tree over unit vectors. What is searched for is the least of arc plus bias; a subtree, and
 * a point, is passed over when even its chord, which is never longer than the arc, plus bias is
 * more than what has been found, so that arcs are only computed of points that are about as near as
 * the answer. Any thread.
 */
#include "geo/nearest.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/check.h"

/* Points of a leaf: as many as are cheaper to look at than to divide. */
#define LEAF_POINTS 8

struct point {
	struct geo_vector at;
	double bias_km;
	uint32_t number;
};

/* Nodes of a complete binary tree: the children of i are 2i + 1 and 2i + 2. */
struct node {
	struct geo_vector low, high; /* the box around its points */
	double bias_km;              /* the least of its points */
	uint32_t first, n;           /* of the points */
};

struct geo_nearest {
	struct point *points; /* in the order of the leaves; then those that are nowhere */
	struct node *nodes;
	uint32_t n_located, n;
	uint32_t n_nodes; /* a power of two less one, or zero */
};

static double along(const struct geo_vector *v, unsigned axis)
{
	return axis == 0 ? v->x : axis == 1 ? v->y : v->z;
}

static int compare_along(const void *va, const void *vb, void *arg)
{
	const struct point *a = va, *b = vb;
	unsigned axis = *(unsigned *)arg;
	double x = along(&a->at, axis), y = along(&b->at, axis);

	return (x > y) - (x < y);
}

static void enclose(const struct geo_nearest *index, struct node *node)
{
	const struct point *p = index->points + node->first;

	node->low = node->high = p->at;
	node->bias_km = p->bias_km;
	for (uint32_t i = 1; i < node->n; i++) {
		p = index->points + node->first + i;
		node->low.x = MIN(node->low.x, p->at.x);
		node->low.y = MIN(node->low.y, p->at.y);
		node->low.z = MIN(node->low.z, p->at.z);
		node->high.x = MAX(node->high.x, p->at.x);
		node->high.y = MAX(node->high.y, p->at.y);
		node->high.z = MAX(node->high.z, p->at.z);
		node->bias_km = MIN(node->bias_km, p->bias_km);
	}
}

/* Divides points by the median of the longest side of their box. */
static void divide(struct geo_nearest *index, uint32_t i, uint32_t first, uint32_t n)
{
	struct node *node = &index->nodes[i];
	double x, y, z;
	unsigned axis;

	*node = (struct node){.first = first, .n = n};
	enclose(index, node);
	if (2 * i + 2 >= index->n_nodes)
		return;
	x = node->high.x - node->low.x;
	y = node->high.y - node->low.y;
	z = node->high.z - node->low.z;
	axis = x >= y && x >= z ? 0 : y >= z ? 1 : 2;
	qsort_r(index->points + first, n, sizeof(*index->points), compare_along, &axis);
	divide(index, 2 * i + 1, first, n / 2);
	divide(index, 2 * i + 2, first + n / 2, n - n / 2);
}

struct geo_nearest *geo_nearest_create(const struct geo_point *points, uint32_t n)
{
	struct geo_nearest *index = xcalloc(1, sizeof(*index));
	uint32_t leaves = 1, last;

	index->n = n;
	index->points = xcalloc((size_t)n + 1, sizeof(*index->points));
	for (uint32_t i = 0; i < n; i++)
		index->n_located += points[i].located;
	last = index->n_located;
	for (uint32_t i = 0, located = 0; i < n; i++) {
		const struct geo_point *p = &points[i];
		struct point *to = &index->points[p->located ? located++ : last++];

		*to = (struct point){.bias_km = p->bias_km, .number = i};
		if (p->located)
			to->at = geo_vector_of(p->latitude, p->longitude);
	}
	if (index->n_located == 0)
		return index;
	while (leaves * LEAF_POINTS < index->n_located)
		leaves *= 2;
	index->n_nodes = 2 * leaves - 1;
	index->nodes = xcalloc(index->n_nodes, sizeof(*index->nodes));
	divide(index, 0, 0, index->n_located);
	return index;
}

void geo_nearest_destroy(struct geo_nearest **indexp)
{
	struct geo_nearest *index = TAKE(indexp);

	if (index == NULL)
		return;
	free(index->points);
	free(index->nodes);
	free(index);
}

struct search {
	const struct geo_nearest *index;
	struct geo_vector here;
	uint32_t k, found;
	bool (*usable)(const void *arg, uint32_t number);
	const void *arg;
	uint32_t *numbers;
	double *km;
	double worst; /* what is farther than this is none of the first k */
};

/* Whether something of that bias, with a chord of which this is the square, may still count. */
static bool is_near(const struct search *s, double chord_square, double bias_km)
{
	return geo_chord_within(chord_square, s->worst - bias_km);
}

static double outside(double low, double high, double x)
{
	return x < low ? low - x : x > high ? x - high : 0;
}

static double box_square(const struct search *s, const struct node *node)
{
	return geo_square(outside(node->low.x, node->high.x, s->here.x)) +
	       geo_square(outside(node->low.y, node->high.y, s->here.y)) +
	       geo_square(outside(node->low.z, node->high.z, s->here.z));
}

static void offer(struct search *s, uint32_t number, double km)
{
	uint32_t at = s->found;

	while (at > 0 &&
	       (s->km[at - 1] > km || (s->km[at - 1] == km && s->numbers[at - 1] > number)))
		at--;
	if (at == s->k || (s->usable != NULL && !s->usable(s->arg, number)))
		return;
	s->found += s->found < s->k;
	memmove(s->km + at + 1, s->km + at, (s->found - at - 1) * sizeof(*s->km));
	memmove(s->numbers + at + 1, s->numbers + at, (s->found - at - 1) * sizeof(*s->numbers));
	s->km[at] = km;
	s->numbers[at] = number;
	if (s->found == s->k)
		s->worst = s->km[s->k - 1];
}

static void search_leaf(struct search *s, const struct node *node)
{
	const struct point *p = s->index->points + node->first;

	for (const struct point *end = p + node->n; p < end; p++) {
		if (is_near(s, geo_chord_square(&s->here, &p->at), p->bias_km))
			offer(s, p->number, geo_vector_km(&s->here, &p->at) + p->bias_km);
	}
}

static void search_node(struct search *s, uint32_t i, double distance_square)
{
	const struct node *node = &s->index->nodes[i];
	uint32_t near = 2 * i + 1, far = 2 * i + 2;
	double near_square, far_square;

	if (!is_near(s, distance_square, node->bias_km))
		return;
	if (far >= s->index->n_nodes) {
		search_leaf(s, node);
		return;
	}
	near_square = box_square(s, &s->index->nodes[near]);
	far_square = box_square(s, &s->index->nodes[far]);
	if (far_square < near_square) {
		search_node(s, far, far_square);
		search_node(s, near, near_square);
	} else {
		search_node(s, near, near_square);
		search_node(s, far, far_square);
	}
}

uint32_t geo_nearest_find(const struct geo_nearest *index, double latitude, double longitude,
			  uint32_t k, bool (*usable)(const void *arg, uint32_t number),
			  const void *arg, uint32_t *numbers, double *km)
{
	struct search s = {.index = index,
			   .here = geo_vector_of(latitude, longitude),
			   .k = k,
			   .usable = usable,
			   .arg = arg,
			   .numbers = numbers,
			   .km = km,
			   .worst = (double)INFINITY};

	if (k == 0)
		return 0;
	if (index->n_located > 0)
		search_node(&s, 0, 0);
	for (uint32_t i = index->n_located; i < index->n && s.found < k; i++)
		offer(&s, index->points[i].number, (double)INFINITY);
	return s.found;
}
