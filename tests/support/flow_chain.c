/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * See flow_chain.h.
 */
#include "tests/support/flow_chain.h"

#include "core/base/check.h"

unsigned decide(struct decisions *d, unsigned below)
{
	return d->next < d->end ? *d->next++ % below : 0;
}

size_t decide_size(struct decisions *d)
{
	static const size_t sizes[] = {1, 2, 3, 7, 63, 64, 65, 100, 1000, 4096, 65536};

	return sizes[decide(d, ARRAY_SIZE(sizes))];
}

static void filter_init(struct chain_filter *f, struct decisions *d, struct loop *loop)
{
	size_t one, other;

	switch (decide(d, 3)) {
	case 0:
		f->request = &f->pass[0];
		f->response = &f->pass[1];
		pass_init(f->request, f->response);
		break;
	case 1:
		f->has_digest = true;
		digest_init(&f->digest);
		f->request = &f->digest.request.filter;
		f->response = &f->digest.response.filter;
		break;
	case 2:
		one = decide_size(d);
		other = decide_size(d);
		f->has_rechunk = true;
		rechunk_init(&f->rechunk, loop, one, other);
		f->request = &f->rechunk.request.filter;
		f->response = &f->rechunk.response.filter;
		break;
	}
}

void chain_init(struct chain *chain, struct decisions *d, struct loop *loop)
{
	*chain = (struct chain){.n = decide(d, CHAIN_FILTERS_MAX + 1)};
	for (unsigned i = 0; i < chain->n; i++)
		filter_init(&chain->filters[i], d, loop);
	for (unsigned i = 0; i <= chain->n; i++)
		seam_init(&chain->seams[i]);
}

void chain_fini(struct chain *chain)
{
	for (unsigned i = 0; i < chain->n; i++) {
		if (chain->filters[i].has_digest)
			digest_fini(&chain->filters[i].digest);
		if (chain->filters[i].has_rechunk)
			rechunk_fini(&chain->filters[i].rechunk);
	}
}

struct flow_ends chain_ends(struct chain *chain, const struct flow_ends *front)
{
	struct flow_ends ends = *front;

	for (unsigned i = 0; i <= chain->n; i++) {
		struct seam *seam = &chain->seams[i];

		ends = filter_ends(&seam->request.filter, &seam->response.filter, &ends);
		if (i < chain->n)
			ends = filter_ends(chain->filters[i].request, chain->filters[i].response,
					   &ends);
	}
	return ends;
}

struct flow_leg chain_leg(struct chain *chain, const struct flow_leg *behind)
{
	struct flow_leg leg = *behind;

	for (unsigned i = chain->n + 1; i-- > 0;) {
		struct seam *seam = &chain->seams[i];

		if (i < chain->n)
			leg =
			    filter_leg(chain->filters[i].request, chain->filters[i].response, &leg);
		leg = filter_leg(&seam->request.filter, &seam->response.filter, &leg);
	}
	return leg;
}
