/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A real signer, with its keeper, and handshakes that it signs: of every version and kind of key;
 * when it dies, when it hangs, when it is asked for what it must not sign, or for too much. This
 * program is the signer too, when it is started as one.
 */
#include <config.h>
#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/base/check.h"
#include "core/base/thread.h"
#include "edge/keys/keys.h"
#include "edge/keys/signed_data.h"
#include "edge/keys/signer.h"
#include "edge/keys/signer_keeper.h"
#include "edge/keys/signer_link.h"

#define TLS13 "NORMAL:-VERS-ALL:+VERS-TLS1.3"
#define TLS12 "NORMAL:-VERS-ALL:+VERS-TLS1.2"

static char path[64];
static struct edge_keys *keys;
static pid_t keeper;
static const char *config = ""; /* of the signer */

/* The only child of a process. */
static pid_t child_of(pid_t parent)
{
	char name[64];
	int child = 0;
	FILE *f;

	snprintf(name, sizeof(name), "/proc/%d/task/%d/children", (int)parent, (int)parent);
	f = fopen(name, "r");
	CHECK(f != NULL);
	if (fscanf(f, "%d", &child) != 1)
		child = 0;
	fclose(f);
	return child;
}

static void start(unsigned rate)
{
	char *error = NULL;
	int fd = edge_signer_keep();

	assert_true(fd >= 0);
	keeper = child_of(getpid());
	keys = edge_keys_create();
	if (!edge_keys_use_signer(keys, fd, (struct cfg_rate){rate, DUR_S(60)}, config, &error))
		fail_msg("the signer %s", error);
}

static int set_up(void **state)
{
	int fd;

	strcpy(path, "/tmp/perigee-signer-XXXXXX");
	fd = mkstemp(path);
	return fd < 0 ? -1 : close(fd);
}

static int tear_down(void **state)
{
	int ended;

	edge_keys_destroy(&keys);
	/* It ends by itself, and the signer with it. */
	CHECK(waitpid(keeper, &ended, 0) == keeper);
	CHECK(child_of(getpid()) == 0);
	return unlink(path);
}

struct pair {
	gnutls_x509_privkey_t key;
	gnutls_x509_crt_t crt;
};

static void write_key(gnutls_x509_privkey_t key)
{
	FILE *f = fopen(path, "w");
	gnutls_datum_t pem;

	assert_non_null(f);
	CHECK(gnutls_x509_privkey_export2_pkcs8(key, GNUTLS_X509_FMT_PEM, NULL, GNUTLS_PKCS_PLAIN,
						&pem) == 0);
	assert_int_equal(fwrite(pem.data, 1, pem.size, f), pem.size);
	assert_int_equal(fclose(f), 0);
	gnutls_free(pem.data);
}

static struct pair make(gnutls_pk_algorithm_t type, unsigned bits)
{
	const unsigned char serial = 1;
	struct pair pair;

	CHECK(gnutls_x509_privkey_init(&pair.key) == 0 && gnutls_x509_crt_init(&pair.crt) == 0);
	CHECK(gnutls_x509_privkey_generate(pair.key, type, bits, 0) == 0);
	CHECK(gnutls_x509_crt_set_version(pair.crt, 3) == 0);
	CHECK(gnutls_x509_crt_set_serial(pair.crt, &serial, 1) == 0);
	CHECK(gnutls_x509_crt_set_activation_time(pair.crt, time(NULL)) == 0);
	CHECK(gnutls_x509_crt_set_expiration_time(pair.crt, time(NULL) + 600) == 0);
	CHECK(gnutls_x509_crt_set_key(pair.crt, pair.key) == 0);
	CHECK(gnutls_x509_crt_sign2(
		  pair.crt, pair.crt, pair.key,
		  type == GNUTLS_PK_EDDSA_ED25519 ? GNUTLS_DIG_SHA512 : GNUTLS_DIG_SHA256, 0) == 0);
	write_key(pair.key);
	return pair;
}

static struct pair make_p256(void)
{
	return make(GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1));
}

static void drop(struct pair *pair)
{
	gnutls_x509_privkey_deinit(pair->key);
	gnutls_x509_crt_deinit(pair->crt);
}

static gnutls_certificate_credentials_t load(const struct pair *pair)
{
	gnutls_certificate_credentials_t credentials;
	char *error = NULL;
	struct edge_key *key = edge_keys_load(keys, path, &error);
	gnutls_pcert_st shown;

	if (key == NULL)
		fail_msg("the key %s", error);
	assert_true(edge_key_matches(key, pair->crt));
	CHECK(gnutls_certificate_allocate_credentials(&credentials) == 0);
	CHECK(gnutls_pcert_import_x509(&shown, pair->crt, 0) == 0);
	gnutls_certificate_set_flags(credentials, GNUTLS_CERTIFICATE_SKIP_KEY_CERT_MATCH);
	CHECK(gnutls_certificate_set_key(credentials, NULL, 0, &shown, 1, edge_key_handle(key)) ==
	      0);
	edge_key_unref(&key);
	return credentials;
}

static gnutls_session_t begin(unsigned role, const char *priority, int fd,
			      gnutls_certificate_credentials_t credentials)
{
	gnutls_session_t session;

	CHECK(gnutls_init(&session, role | GNUTLS_NONBLOCK) == 0);
	CHECK(gnutls_priority_set_direct(session, priority, NULL) == 0);
	CHECK(gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, credentials) == 0);
	gnutls_transport_set_int(session, fd);
	return session;
}

/* What the server's side came to. */
static int shake_hands(gnutls_certificate_credentials_t of_server, const char *priority)
{
	gnutls_certificate_credentials_t of_client;
	int fds[2], client_ret = GNUTLS_E_AGAIN, server_ret = GNUTLS_E_AGAIN;
	gnutls_session_t client, server;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
	CHECK(gnutls_certificate_allocate_credentials(&of_client) == 0);
	client = begin(GNUTLS_CLIENT, priority, fds[0], of_client);
	server = begin(GNUTLS_SERVER, priority, fds[1], of_server);
	do {
		if (client_ret != 0)
			client_ret = gnutls_handshake(client);
		if (server_ret != 0)
			server_ret = gnutls_handshake(server);
	} while ((client_ret != 0 || server_ret != 0) && !gnutls_error_is_fatal(client_ret) &&
		 !gnutls_error_is_fatal(server_ret));
	if (server_ret == 0)
		assert_int_equal(client_ret, 0); /* which has verified the signature */
	gnutls_deinit(client);
	gnutls_deinit(server);
	gnutls_certificate_free_credentials(of_client);
	close(fds[0]);
	close(fds[1]);
	return server_ret;
}

static json_int_t counted(const char *name)
{
	json_t *status = edge_keys_status(keys);
	json_int_t n = json_integer_value(json_object_get(status, name));

	json_decref(status);
	return n;
}

static void test_handshakes_of_all_kinds(void **state)
{
	static const struct {
		gnutls_pk_algorithm_t type;
		unsigned bits;
	} kinds[] = {
	    {GNUTLS_PK_RSA, 2048},
	    {GNUTLS_PK_RSA_PSS, 2048},
	    {GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1)},
	    {GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP384R1)},
	    {GNUTLS_PK_EDDSA_ED25519, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_ED25519)},
	};

	start(0);
	for (unsigned i = 0; i < ARRAY_SIZE(kinds); i++) {
		struct pair pair = make(kinds[i].type, kinds[i].bits);
		gnutls_certificate_credentials_t credentials = load(&pair);

		/* The file is of no use to anybody any more. */
		assert_int_equal(truncate(path, 0), 0);
		assert_int_equal(shake_hands(credentials, TLS13), 0);
		assert_int_equal(shake_hands(credentials, TLS12), 0);
		assert_int_equal(shake_hands(credentials, TLS12 ":-GROUP-ALL:+GROUP-SECP384R1"), 0);
		gnutls_certificate_free_credentials(credentials);
		drop(&pair);
	}
	assert_int_equal(counted("signatures"), 3 * ARRAY_SIZE(kinds));
	assert_int_equal(counted("refused"), 0);
}

/* Whoever has the edge has its handles. */
static void test_other_things_are_not_signed(void **state)
{
	static const char text[] = "{\"alg\":\"ES256\"}.{\"sub\":\"root\"}";
	const gnutls_datum_t token = {(unsigned char *)text, sizeof(text) - 1};
	struct pair pair;
	gnutls_privkey_t handle;
	gnutls_datum_t signature;
	struct edge_key *key;
	char *error = NULL;

	start(0);
	pair = make_p256();
	key = edge_keys_load(keys, path, &error);
	assert_non_null(key);
	handle = edge_key_handle(key);
	assert_true(
	    gnutls_privkey_sign_data2(handle, GNUTLS_SIGN_ECDSA_SHA256, 0, &token, &signature) < 0);
	assert_int_equal(counted("refused"), 1);
	/* A digest of who knows what is not even asked for. */
	assert_true(
	    gnutls_privkey_sign_hash2(handle, GNUTLS_SIGN_ECDSA_SHA256, 0, &token, &signature) < 0);
	assert_int_equal(counted("refused"), 1);
	assert_int_equal(counted("signatures"), 0);
	gnutls_privkey_deinit(handle);
	edge_key_unref(&key);
	drop(&pair);
}

static void test_a_limit_of_signatures(void **state)
{
	gnutls_certificate_credentials_t credentials;
	unsigned made = 0, failed = 0;
	struct pair pair;

	start(1);
	pair = make_p256();
	credentials = load(&pair);
	for (unsigned i = 0; i < 200 && failed == 0; i++) {
		if (shake_hands(credentials, TLS13) == 0)
			made++;
		else
			failed++;
	}
	assert_true(made >= 1);
	assert_int_equal(failed, 1);
	assert_int_equal(counted("limited"), 1);
	assert_int_equal(counted("signatures"), made);
	gnutls_certificate_free_credentials(credentials);
	drop(&pair);
}

/* By its keys' names it loads them again; who waits meanwhile is served. */
static void test_signer_that_is_killed(void **state)
{
	gnutls_certificate_credentials_t credentials;
	struct pair pair;

	start(0);
	pair = make_p256();
	credentials = load(&pair);
	assert_int_equal(shake_hands(credentials, TLS13), 0);
	for (int generation = 2; generation < 4; generation++) {
		kill(child_of(keeper), SIGKILL);
		assert_int_equal(shake_hands(credentials, TLS13), 0);
		assert_int_equal(counted("started"), generation);
	}
	assert_int_equal(counted("unanswered"), 0);
	assert_true(edge_keys_attend(keys));
	gnutls_certificate_free_credentials(credentials);
	drop(&pair);
}

static void test_key_that_another_has_replaced_meanwhile(void **state)
{
	gnutls_certificate_credentials_t credentials;
	struct pair pair, other;

	start(0);
	pair = make_p256();
	credentials = load(&pair);
	other = make_p256();
	assert_int_equal(shake_hands(credentials, TLS13), 0);
	kill(child_of(keeper), SIGKILL);
	assert_int_equal(shake_hands(credentials, TLS13), GNUTLS_E_PK_SIGN_FAILED);
	write_key(pair.key);
	assert_int_equal(shake_hands(credentials, TLS13), 0);
	gnutls_certificate_free_credentials(credentials);
	drop(&pair);
	drop(&other);
}

/* Whether that thread has come to stand still. */
static bool is_stopped(pid_t pid, const char *thread)
{
	char name[64], line[512] = "";
	const char *behind;
	FILE *f;

	snprintf(name, sizeof(name), "/proc/%d/task/%.20s/stat", (int)pid, thread);
	f = fopen(name, "r");
	if (f == NULL)
		return true;
	CHECK(fgets(line, sizeof(line), f) != NULL);
	fclose(f);
	behind = strrchr(line, ')');
	return behind != NULL && behind[2] == 'T';
}

/* All its threads: until then one of them may answer. */
static void stop(pid_t pid)
{
	const struct dirent *entry;
	char name[64];
	bool stopped;

	kill(pid, SIGSTOP);
	snprintf(name, sizeof(name), "/proc/%d/task", (int)pid);
	do {
		DIR *threads = opendir(name);

		CHECK(threads != NULL);
		stopped = true;
		while ((entry = readdir(threads)) != NULL)
			stopped &= entry->d_name[0] == '.' || is_stopped(pid, entry->d_name);
		closedir(threads);
	} while (!stopped);
}

/* One handshake waits in vain; then there is another signer. */
static void test_signer_that_hangs(void **state)
{
	gnutls_certificate_credentials_t credentials;
	struct pair pair;

	start(0);
	pair = make_p256();
	credentials = load(&pair);
	stop(child_of(keeper));
	assert_int_equal(shake_hands(credentials, TLS12), GNUTLS_E_PK_SIGN_FAILED);
	assert_int_equal(counted("unanswered"), 1);
	assert_int_equal(shake_hands(credentials, TLS12), 0);
	assert_int_equal(counted("started"), 2);
	gnutls_certificate_free_credentials(credentials);
	drop(&pair);
}

/* Without a keeper there is no other; that is told at once. */
static void test_keeper_that_is_killed(void **state)
{
	gnutls_certificate_credentials_t credentials;
	struct pair pair;

	start(0);
	pair = make_p256();
	credentials = load(&pair);
	kill(keeper, SIGKILL);
	while (edge_keys_attend(keys))
		usleep(1000);
	assert_true(shake_hands(credentials, TLS13) < 0);
	gnutls_certificate_free_credentials(credentials);
	drop(&pair);
}

static void test_what_is_no_key(void **state)
{
	char *error = NULL;

	start(0);
	assert_null(edge_keys_load(keys, path, &error));
	assert_non_null(strstr(error, "is not a private key in PEM"));
	free(error);
	assert_null(edge_keys_load(keys, "/nowhere/at/all", &error));
	assert_string_equal(error, "cannot be read: No such file or directory");
	free(error);
	assert_null(edge_keys_load(keys, "/dev/zero", &error));
	assert_string_equal(error, "is a device, not a regular file");
	free(error);
}

static void write_config(const char *file, const char *key)
{
	FILE *f = fopen(file, "w");

	assert_non_null(f);
	fprintf(f,
		"edges: {a: {location: \"1,1\", addresses: [127.0.0.1]}}\n"
		"origins: {app: {servers: [\"127.0.0.1:1\"]}}\n"
		"sites:\n  www: {hosts: [a.test], certificates: [{certificate: x.pem, key: %s}],\n"
		"        routes: [{path: /, origin: app}]}\n",
		key);
	assert_int_equal(fclose(f), 0);
}

static void assert_not_named(void)
{
	char *error = NULL;

	assert_null(edge_keys_load(keys, path, &error));
	assert_string_equal(error, "is no key that the configuration names");
	free(error);
}

/* Else a taken edge could use every key on the machine. */
static void test_only_keys_that_the_configuration_names(void **state)
{
	char file[] = "/tmp/perigee-signer-config-XXXXXX";
	struct pair pair;
	int fd = mkstemp(file);

	assert_true(fd >= 0);
	close(fd);
	config = file;
	write_config(file, "/tmp/another.key");
	start(0);
	config = "";
	pair = make_p256();
	assert_not_named();
	write_config(file, path);
	gnutls_certificate_free_credentials(load(&pair));
	/* Broken, it counts as it was. */
	assert_int_equal(truncate(file, 10), 0);
	gnutls_certificate_free_credentials(load(&pair));
	assert_int_equal(unlink(file), 0);
	drop(&pair);
}

/* Such as that of a site which is new, in a file of its own. */
static void test_fault_key_named_by_a_file_that_was_added(void **state)
{
	char folder[] = "/tmp/perigee-signer-config-XXXXXX";
	struct pair pair;
	char *top, *site;
	FILE *f;

	assert_non_null(mkdtemp(folder));
	top = xasprintf("%s/top.yaml", folder);
	site = xasprintf("%s/site.conf", folder);
	f = fopen(top, "w");
	assert_non_null(f);
	assert_true(fputs("include: \"*.conf\"\n", f) >= 0);
	assert_int_equal(fclose(f), 0);
	config = top;
	start(0);
	config = "";
	pair = make_p256();
	assert_not_named();
	write_config(site, path);
	gnutls_certificate_free_credentials(load(&pair));
	assert_int_equal(unlink(site), 0);
	assert_int_equal(unlink(top), 0);
	assert_int_equal(rmdir(folder), 0);
	free(site);
	free(top);
	drop(&pair);
}

static struct signers {
	gnutls_privkey_t handle;
	atomic_bool over;
} signers;

/* What a handshake of TLS 1.3 has signed. */
static void *sign_on_and_on(void *arg)
{
	unsigned char bytes[64 + 34 + 32] = {0};
	const gnutls_datum_t data = {bytes, sizeof(bytes)};
	gnutls_datum_t signature;

	memset(bytes, ' ', 64);
	memcpy(bytes + 64, "TLS 1.3, server CertificateVerify", 34);
	while (!atomic_load(&signers.over)) {
		CHECK(gnutls_privkey_sign_data2(signers.handle, GNUTLS_SIGN_RSA_PSS_RSAE_SHA256, 0,
						&data, &signature) == 0);
		gnutls_free(signature.data);
	}
	return NULL;
}

/* Else the signer would be taken for one that hangs. */
static void test_fault_keys_not_loaded_while_others_sign(void **state)
{
	struct edge_key *key, *another;
	pthread_t threads[16];
	char *error = NULL;
	struct pair pair;

	start(0);
	pair = make(GNUTLS_PK_RSA, 4096);
	key = edge_keys_load(keys, path, &error);
	assert_non_null(key);
	signers.handle = edge_key_handle(key);
	for (unsigned i = 0; i < ARRAY_SIZE(threads); i++)
		assert_int_equal(thread_start(&threads[i], "signing", sign_on_and_on, NULL), 0);
	for (unsigned i = 0; i < 10; i++) {
		another = edge_keys_load(keys, path, &error);
		if (another == NULL)
			fail_msg("the key %s", error);
		edge_key_unref(&another);
	}
	atomic_store(&signers.over, true);
	for (unsigned i = 0; i < ARRAY_SIZE(threads); i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(counted("started"), 1);
	gnutls_privkey_deinit(signers.handle);
	edge_key_unref(&key);
	drop(&pair);
}

/* The disk, or a large configuration, may take longer than a handshake has patience for. */
static void test_fault_loading_longer_than_a_signature(void **state)
{
	struct pair pair;
	int ended;
	pid_t helper;

	start(0);
	pair = make_p256();
	stop(child_of(keeper));
	helper = fork();
	if (helper == 0) {
		usleep((SIGNER_PATIENCE_MS + 500) * 1000);
		_exit(kill(child_of(keeper), SIGCONT));
	}
	gnutls_certificate_free_credentials(load(&pair));
	assert_int_equal(waitpid(helper, &ended, 0), helper);
	assert_int_equal(ended, 0);
	assert_int_equal(counted("started"), 1);
	drop(&pair);
}

/* The edge goes on, and has the signer of after that. */
static void test_fault_no_descriptor_left_for_the_signer(void **state)
{
	gnutls_certificate_credentials_t credentials;
	struct rlimit before, none;
	struct pair pair;
	pid_t signer;
	int lowest;

	start(0);
	pair = make_p256();
	credentials = load(&pair);
	signer = child_of(keeper);
	CHECK(getrlimit(RLIMIT_NOFILE, &before) == 0);
	lowest = dup(STDERR_FILENO);
	assert_true(lowest >= 0);
	close(lowest);
	none = (struct rlimit){(rlim_t)lowest, before.rlim_max};
	CHECK(setrlimit(RLIMIT_NOFILE, &none) == 0);
	kill(signer, SIGKILL);
	while (counted("started") == 1)
		assert_true(edge_keys_attend(keys));
	CHECK(setrlimit(RLIMIT_NOFILE, &before) == 0);
	assert_int_equal(shake_hands(credentials, TLS13), 0);
	assert_true(counted("started") > 2);
	gnutls_certificate_free_credentials(credentials);
	drop(&pair);
}

static unsigned open_files_of(pid_t pid)
{
	const struct dirent *entry;
	char name[64];
	unsigned n = 0;
	DIR *files;

	snprintf(name, sizeof(name), "/proc/%d/fd", (int)pid);
	files = opendir(name);
	CHECK(files != NULL);
	while ((entry = readdir(files)) != NULL)
		n += entry->d_name[0] != '.';
	closedir(files);
	return n;
}

/* A signer without a keeper; its control socket. */
static int start_alone(void)
{
	char fd[16], *const argv[] = {
			 (char *)EDGE_SIGNER_NAME, fd, (char *)"0", (char *)"1", (char *)"", NULL};
	int fds[2];

	keys = edge_keys_create();
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds), 0);
	keeper = fork();
	if (keeper == 0) {
		snprintf(fd, sizeof(fd), "%d", dup(fds[1]));
		execv("/proc/self/exe", argv);
		_exit(1);
	}
	close(fds[1]);
	return fds[0];
}

static void pass(int control, const void *packet, size_t size, int fd, unsigned times)
{
	const int fds[] = {fd, fd, fd};
	char passed[CMSG_SPACE(sizeof(fds))] = {0};
	struct iovec iov = {(void *)packet, size};
	struct msghdr message = {.msg_iov = &iov,
				 .msg_iovlen = 1,
				 .msg_control = passed,
				 .msg_controllen = CMSG_SPACE(times * sizeof(int))};
	struct cmsghdr *c = CMSG_FIRSTHDR(&message);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(times * sizeof(int));
	memcpy(CMSG_DATA(c), fds, times * sizeof(int));
	assert_int_equal(sendmsg(control, &message, 0), size);
}

static const char open_packet[SIGNER_HEAD] = {1, SIGNER_OPEN};

/* By then it has read all that was sent over the control socket before. */
static int open_and_ask(int control)
{
	const char packet[] = {1, SIGNER_DROP, 0, 0, 0, 0, 0, 1};
	char answer[SIGNER_MESSAGE_MAX];
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds), 0);
	pass(control, open_packet, sizeof(open_packet), fds[1], 1);
	close(fds[1]);
	assert_int_equal(send(fds[0], packet, sizeof(packet), 0), sizeof(packet));
	assert_int_equal(recv(fds[0], answer, sizeof(answer), 0), SIGNER_HEAD);
	assert_int_equal(answer[1], SIGNER_UNKNOWN);
	return fds[0];
}

/* A taken edge may send what it likes; the signer keeps none of it. */
static void test_fault_descriptors_left_in_the_signer(void **state)
{
	int control = start_alone(), first = open_and_ask(control), second;
	unsigned before = open_files_of(keeper), after;

	for (unsigned times = 1; times <= 3; times++)
		pass(control, "nonsense", 8, STDERR_FILENO, times);
	for (unsigned times = 2; times <= 3; times++)
		pass(control, open_packet, sizeof(open_packet), STDERR_FILENO, times);
	second = open_and_ask(control);
	after = open_files_of(keeper);
	close(second);
	close(first);
	close(control);
	assert_int_equal(after, before + 1);
}

/* Else whoever has taken an edge has its signer for as long as he keeps a socket open. */
static void test_fault_signer_that_outlives_its_edge(void **state)
{
	int pids[2], ended;
	siginfo_t info;
	pid_t edge, others[2]; /* the keeper; who has the edge's sockets */

	assert_int_equal(pipe(pids), 0);
	assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
	edge = fork();
	if (edge == 0) {
		start(0);
		others[0] = keeper;
		others[1] = fork();
		if (others[1] == 0) {
			pause();
			_exit(0);
		}
		CHECK(write(pids[1], others, sizeof(others)) == sizeof(others));
		/* From then on its end is no signal to what is root's. */
		ended = setresuid(65534, 65534, 65534);
		_exit(ended == 0 || errno == EPERM ? 0 : 1);
	}
	assert_int_equal(read(pids[0], others, sizeof(others)), sizeof(others));
	keys = edge_keys_create();
	keeper = others[0];
	assert_int_equal(waitpid(edge, &ended, 0), edge);
	assert_int_equal(ended, 0);
	alarm(30);
	assert_int_equal(waitid(P_PID, (id_t)keeper, &info, WNOWAIT | WEXITED), 0);
	alarm(0);
	kill(others[1], SIGKILL);
	assert_int_equal(waitpid(others[1], &ended, 0), others[1]);
	close(pids[0]);
	close(pids[1]);
}

/* What is short is there again soon: the edge does not end by it. */
static void test_fault_keeper_that_cannot_start_a_signer(void **state)
{
	const struct rlimit none = {3, 1024}, some = {1024, 1024};
	gnutls_certificate_credentials_t credentials;
	struct pair pair;

	start(0);
	pair = make_p256();
	credentials = load(&pair);
	CHECK(prlimit(keeper, RLIMIT_NOFILE, &none, NULL) == 0);
	kill(child_of(keeper), SIGKILL);
	/* For longer than it waits before it starts another. */
	for (unsigned i = 0; i < 1200 && edge_keys_attend(keys); i++)
		usleep(1000);
	CHECK(prlimit(keeper, RLIMIT_NOFILE, &some, NULL) == 0);
	assert_int_equal(shake_hands(credentials, TLS13), 0);
	assert_int_equal(counted("started"), 2);
	gnutls_certificate_free_credentials(credentials);
	drop(&pair);
}

/* Thousands of reloads leave nothing behind in it. */
static void test_keys_are_dropped(void **state)
{
	struct pair pair;
	char *error = NULL;

	start(0);
	pair = make_p256();
	for (unsigned i = 0; i < 2000; i++) {
		struct edge_key *key = edge_keys_load(keys, path, &error);

		assert_non_null(key);
		edge_key_unref(&key);
	}
	drop(&pair);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_handshakes_of_all_kinds, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_other_things_are_not_signed, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_a_limit_of_signatures, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_signer_that_is_killed, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_key_that_another_has_replaced_meanwhile, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(test_signer_that_hangs, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_keeper_that_is_killed, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_what_is_no_key, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_only_keys_that_the_configuration_names, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(test_fault_key_named_by_a_file_that_was_added, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(test_fault_keys_not_loaded_while_others_sign, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(test_fault_loading_longer_than_a_signature, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(test_fault_no_descriptor_left_for_the_signer, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(test_fault_descriptors_left_in_the_signer, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(test_fault_signer_that_outlives_its_edge, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(test_fault_keeper_that_cannot_start_a_signer, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(test_keys_are_dropped, set_up, tear_down),
	};

	if (strcmp(argv[0], EDGE_SIGNER_NAME) == 0)
		return edge_signer_main(argc, argv);
	if (getenv("ONLY"))
		cmocka_set_test_filter(getenv("ONLY"));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
