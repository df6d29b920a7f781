/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * See rate.h. One number tells how far signatures are ahead of their rate.
 */
#include "edge/keys/signing/rate.h"

#include "core/base/check.h"

void signer_rate_init(struct signer_rate *rate, uint32_t signatures, uint32_t seconds)
{
	*rate = (struct signer_rate){.burst_ns = (int64_t)seconds * 1000000000};
	rate->interval_ns = signatures > 0 ? rate->burst_ns / signatures : 0;
	CHECK(pthread_mutex_init(&rate->lock, NULL) == 0);
}

void signer_rate_fini(struct signer_rate *rate)
{
	pthread_mutex_destroy(&rate->lock);
}

bool signer_rate_take(struct signer_rate *rate, mono_time now)
{
	bool ok;

	if (rate->interval_ns == 0)
		return true;
	pthread_mutex_lock(&rate->lock);
	rate->next_ns = MAX(rate->next_ns, now.ns);
	ok = rate->next_ns + rate->interval_ns <= now.ns + rate->burst_ns;
	if (ok)
		rate->next_ns += rate->interval_ns;
	pthread_mutex_unlock(&rate->lock);
	return ok;
}
