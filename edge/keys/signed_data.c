/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The program's gnutls_privkey_sign_data2(), in front of GnuTLS's. Any thread; the argument is
 * known to the thread that is inside of it.
 */
#include "edge/keys/signed_data.h"

#include <dlfcn.h>
#include <stdatomic.h>
#include <stddef.h>

#include <gnutls/abstract.h>

#include "core/base/check.h"

typedef int (*sign_data_fn)(gnutls_privkey_t key, gnutls_sign_algorithm_t algorithm, unsigned flags,
			    const gnutls_datum_t *data, gnutls_datum_t *signature);

static _Thread_local const struct signed_data *now;

const struct signed_data *signed_data_now(void)
{
	return now;
}

static sign_data_fn of_gnutls(void)
{
	static _Atomic(sign_data_fn) found;
	sign_data_fn fn = atomic_load_explicit(&found, memory_order_relaxed);

	if (fn == NULL) {
		fn = (sign_data_fn)dlsym(RTLD_NEXT, "gnutls_privkey_sign_data2");
		CHECK(fn != NULL);
		atomic_store_explicit(&found, fn, memory_order_relaxed);
	}
	return fn;
}

int gnutls_privkey_sign_data2(gnutls_privkey_t key, gnutls_sign_algorithm_t algorithm,
			      unsigned flags, const gnutls_datum_t *data, gnutls_datum_t *signature)
{
	const struct signed_data *before = now, mine = {algorithm, data};
	int ret;

	now = &mine;
	ret = of_gnutls()(key, algorithm, flags, data, signature);
	now = before;
	return ret;
}
