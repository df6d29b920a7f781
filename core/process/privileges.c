/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Becoming another user, see privileges.h. glibc changes the ids of all threads together.
 */
#include "core/process/privileges.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "core/base/check.h"
#include "core/base/log.h"

/* For the texts of an entry of the user database; more than sysconf() asks for. */
#define ENTRY_MAX 65536

static bool is_already(const struct passwd *user)
{
	uid_t real, effective, saved;

	return getresuid(&real, &effective, &saved) == 0 && real == user->pw_uid &&
	       effective == user->pw_uid && saved == user->pw_uid;
}

static bool failed(const char *user, const char *what, int error)
{
	log_error("cannot become the user %s: %s: %s", user, what, strerrordesc_np(error));
	return false;
}

static bool become(const struct passwd *user)
{
	if (initgroups(user->pw_name, user->pw_gid) < 0)
		return failed(user->pw_name, "its groups", errno);
	if (setresgid(user->pw_gid, user->pw_gid, user->pw_gid) < 0)
		return failed(user->pw_name, "its group", errno);
	if (setresuid(user->pw_uid, user->pw_uid, user->pw_uid) < 0)
		return failed(user->pw_name, "its id", errno);
	/* There is no way back, or what comes next is not to be exposed to anybody. Its group may
	 * be root's, as in containers. */
	CHECK(user->pw_uid == 0 || (setuid(0) < 0 && seteuid(0) < 0));
	CHECK(user->pw_uid == 0 || user->pw_gid == 0 || setgid(0) < 0);
	log_info("from here on as the user %s", user->pw_name);
	return true;
}

void privileges_want_no_more(void)
{
	CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
}

bool privileges_give_up(const char *name)
{
	struct passwd entry, *user = NULL;
	char *text;
	bool ok;
	int error;

	if (name[0] == '\0')
		return true;
	text = xmalloc(ENTRY_MAX);
	error = getpwnam_r(name, &entry, text, ENTRY_MAX, &user);
	if (user == NULL && error == 0) {
		log_error("cannot become the user %s: there is none of that name", name);
		ok = false;
	} else if (user == NULL) {
		ok = failed(name, "the user database", error);
	} else {
		ok = is_already(user) || become(user);
	}
	free(text);
	return ok;
}

bool privileges_may_read(const char *path)
{
	return access(path, R_OK) == 0 || errno != EACCES;
}
