/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The tree that YAML becomes: shapes, exact places, and every way to be refused.
 */
#include "tests/unit/config/support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/syntax/yaml.h"
#include "core/base/check.h"

struct parsed {
	struct cfg_memory mem;
	struct cfg_entry *root;
	char *complaints;
};

static struct parsed parse(const char *text, size_t len)
{
	struct parsed p;
	struct diag *diag = diag_create();
	unsigned budget = 1000;

	cfg_memory_init(&p.mem, 1 << 20, diag);
	p.root = cfg_yaml_parse(&p.mem, "f", text, len, &budget, diag);
	p.complaints = diag_text(diag);
	diag_destroy(&diag);
	return p;
}

static void drop(struct parsed *p)
{
	cfg_memory_fini(&p->mem);
	free(p->complaints);
}

/* "KIND key@L:C text@L:C" of the tree, in one line. */
static void render(const struct cfg_entry *n, FILE *out)
{
	const char *separator = "";

	if (n->key != NULL)
		fprintf(out, "%s@%u:%u=", n->key, n->key_place.line, n->key_place.column);
	if (n->kind == CFG_ENTRY_SCALAR) {
		fprintf(out, "%s%s",
			n->null     ? "null"
			: n->broken ? "broken"
				    : "",
			n->null ? "" : n->text);
	} else {
		fputc(n->kind == CFG_ENTRY_LIST ? '[' : '{', out);
		for (const struct cfg_entry *c = n->first; c != NULL; c = c->next) {
			fputs(separator, out);
			render(c, out);
			separator = " ";
		}
		fputc(n->kind == CFG_ENTRY_LIST ? ']' : '}', out);
	}
	fprintf(out, "@%u:%u", n->place.line, n->place.column);
}

static char *rendered(const struct cfg_entry *root)
{
	char *text = NULL;
	size_t size = 0;
	FILE *f = open_memstream(&text, &size);

	CHECK(f != NULL);
	render(root, f);
	CHECK(fclose(f) == 0);
	return text;
}

static void test_trees(void **state)
{
	static const struct {
		const char *text, *tree;
	} cases[] = {
	    {"", "{}@1:1"},
	    {"# nothing\n", "{}@1:1"},
	    {"---\n", "{}@1:1"},
	    {"\xef\xbb\xbf"
	     "a: b\n",
	     "{a@1:1=b@1:4}@1:1"},
	    {"a: b\n", "{a@1:1=b@1:4}@1:1"},
	    {"a:\n  b: 1\n  c:   2\n", "{a@1:1={b@2:3=1@2:6 c@3:3=2@3:8}@2:3}@1:1"},
	    {"a: [x, \"y z\", 'w']\n", "{a@1:1=[x@1:5 y z@1:8 w@1:15]@1:4}@1:1"},
	    {"a:\n- x\n-   {k: v}\n", "{a@1:1=[x@2:3 {k@3:6=v@3:9}@3:5]@2:1}@1:1"},
	    {"a:\nb: ~\nc: null\nd: \"\"\ne: \"~\"\n",
	     "{a@1:1=null@1:3 b@2:1=null@2:4 c@3:1=null@3:4 d@4:1=@4:4 e@5:1=~@5:4}@1:1"},
	    /* Columns count characters, not bytes. */
	    {"\"\xc3\xa9\xc3\xa9\": b\n", "{\xc3\xa9\xc3\xa9@1:1=b@1:7}@1:1"},
	    {"a: b # c\n\n\nd: e", "{a@1:1=b@1:4 d@4:1=e@4:4}@1:1"},
	    {"a: $$x$$\n", "{a@1:1=$x$@1:4}@1:1"},
	    {"a: x${PERIGEE_SET}y\n", "{a@1:1=xvalue $y@1:4}@1:1"},
	    {"a: ${PERIGEE_UNSET:-f b}\nb: ${PERIGEE_EMPTY:-f}\nc: \"${PERIGEE_SET:-f}\"\n",
	     "{a@1:1=f b@1:4 b@2:1=f@2:4 c@3:1=value $@3:4}@1:1"},
	    /* A variable that is empty is a text that is empty. */
	    {"a: ${PERIGEE_EMPTY}\n", "{a@1:1=@1:4}@1:1"},
	    /* Again, by an alias, in its own place; the last anchor of a name counts. */
	    {"a: &x 1\nb: *x\n", "{a@1:1=1@1:4 b@2:1=1@2:4}@1:1"},
	    {"a: &x [1, 2]\nb: *x\nc: {d: *x}\n",
	     "{a@1:1=[1@1:8 2@1:11]@1:4 b@2:1=[1@1:8 2@1:11]@2:4 "
	     "c@3:1={d@3:5=[1@1:8 2@1:11]@3:8}@3:4}@1:1"},
	    {"a: &x {k: &y [v]}\nb: *x\nc: [*y, *x]\n",
	     "{a@1:1={k@1:8=[v@1:15]@1:11}@1:4 b@2:1={k@1:8=[v@1:15]@1:11}@2:4 "
	     "c@3:1=[[v@1:15]@3:5 {k@1:8=[v@1:15]@1:11}@3:9]@3:4}@1:1"},
	    {"a: &x 1\nb: &x 2\nc: *x\n", "{a@1:1=1@1:4 b@2:1=2@2:4 c@3:1=2@3:4}@1:1"},
	    {"a: &x ~\nb: *x\n", "{a@1:1=null@1:4 b@2:1=null@2:4}@1:1"},
	};

	setenv("PERIGEE_SET", "value $", 1);
	setenv("PERIGEE_EMPTY", "", 1);
	unsetenv("PERIGEE_UNSET");
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct parsed p = parse(cases[i].text, strlen(cases[i].text));
		char *tree;

		assert_string_equal(p.complaints, "");
		assert_non_null(p.root);
		tree = rendered(p.root);
		assert_string_equal(tree, cases[i].tree);
		free(tree);
		drop(&p);
	}
}

#define HIDDEN(code)                                                                               \
	"f:1:4: the character U+" code " in a value: it could not be seen in messages\n"

/* Complaints after which the rest is still read. */
static void test_complaints(void **state)
{
	static const struct {
		const char *text, *complaints, *tree;
	} cases[] = {
	    {"a: 1\nb: 2\na: 3\n", "f:3:1: a is defined twice; first at f:1:1\n",
	     "{a@1:1=1@1:4 b@2:1=2@2:4}@1:1"},
	    {"x: {y: {a: 1, a: 2, a: 3}}\n",
	     "f:1:15: x.y.a is defined twice; first at f:1:9\n"
	     "f:1:21: x.y.a is defined twice; first at f:1:9\n",
	     "{x@1:1={y@1:5={a@1:9=1@1:12}@1:8}@1:4}@1:1"},
	    {"a: *x\nb: &x 1\n",
	     "f:1:4: there is no \"&x\" before this in the file; put a value that begins with "
	     "\"*\" in quotes\n",
	     "{a@1:1=broken@1:4 b@2:1=1@2:4}@1:1"},
	    /* Not yet whole. */
	    {"a: &x [1, *x]\n",
	     "f:1:11: there is no \"&x\" before this in the file; put a value that begins with "
	     "\"*\" in quotes\n",
	     "{a@1:1=[1@1:8 broken@1:11]@1:4}@1:1"},
	    {"a: !!str 1\n", "f:1:4: tags (\"!\") are not supported; leave it out\n",
	     "{a@1:1=1@1:4}@1:1"},
	    {"a: \"x\\ny\"\n", HIDDEN("000A"), "{a@1:1=broken@1:4}@1:1"},
	    {"a: \"x\\0y\"\n", HIDDEN("0000"), "{a@1:1=broken@1:4}@1:1"},
	    {"a: |\n  two\n  lines\n", HIDDEN("000A"), "{a@1:1=broken@1:4}@1:1"},
	    /* Written, and by an escape. */
	    {"a: x\xe2\x80\xaey\n", HIDDEN("202E"), "{a@1:1=broken@1:4}@1:1"},
	    {"a: \"\\u009b31m\"\n", HIDDEN("009B"), "{a@1:1=broken@1:4}@1:1"},
	    {"a: \"\\N\"\n", HIDDEN("0085"), "{a@1:1=broken@1:4}@1:1"},
	    {"a: \"\\u2028\"\n", HIDDEN("2028"), "{a@1:1=broken@1:4}@1:1"},
	    {"a: \"\\u2066\"\n", HIDDEN("2066"), "{a@1:1=broken@1:4}@1:1"},
	    /* A second byte order mark, as "cat" leaves it. */
	    {"a: \"\xef\xbb\xbf\"\n", HIDDEN("FEFF"), "{a@1:1=broken@1:4}@1:1"},
	    {"a: ${PERIGEE_UNSET}\n",
	     "f:1:4: the environment variable PERIGEE_UNSET is not set; set it, or give a "
	     "default: ${PERIGEE_UNSET:-default}\n",
	     "{a@1:1=broken@1:4}@1:1"},
	    {"a: x$y\n",
	     "f:1:4: a lone \"$\": write $$ for a dollar; ${NAME} needs quotes where it stands "
	     "between braces\n",
	     "{a@1:1=broken@1:4}@1:1"},
	    {"a: ${a-b}\n",
	     "f:1:4: \"${a-b}\" is not an environment variable; write ${NAME}, "
	     "${NAME:-default}, or $$ for a dollar\n",
	     "{a@1:1=broken@1:4}@1:1"},
	    {"a: ${a\n",
	     "f:1:4: \"${a\" is not an environment variable; write ${NAME}, "
	     "${NAME:-default}, or $$ for a dollar\n",
	     "{a@1:1=broken@1:4}@1:1"},
	    {"a: ${PERIGEE_BINARY}\n",
	     "f:1:4: the character U+FFFD in an environment variable: it could not be seen in "
	     "messages\n",
	     "{a@1:1=broken@1:4}@1:1"},
	    {"a: ${PERIGEE_LINES}\n",
	     "f:1:4: the character U+000A in an environment variable: it could not be seen in "
	     "messages\n",
	     "{a@1:1=broken@1:4}@1:1"},
	};

	unsetenv("PERIGEE_UNSET");
	setenv("PERIGEE_BINARY", "\xff", 1);
	setenv("PERIGEE_LINES", "a\nb", 1);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct parsed p = parse(cases[i].text, strlen(cases[i].text));
		char *tree;

		assert_string_equal(p.complaints, cases[i].complaints);
		assert_non_null(p.root);
		tree = rendered(p.root);
		assert_string_equal(tree, cases[i].tree);
		free(tree);
		drop(&p);
	}
}

/* Complaints after which there is no tree: the place must be right, the words are half libyaml's.
 */
static void test_broken_syntax(void **state)
{
#define TEXT(s) s, sizeof(s) - 1
	static const struct {
		const char *text;
		size_t len;
		const char *place, *words;
	} cases[] = {
	    {TEXT("a: *:443\n"), "f:1:4: ", "begins with \"*\" in quotes"},
	    {TEXT("a:\n\tb: 1\n"), "f:2:1: ", "indent with spaces"},
	    {TEXT("a: b: c\n"), "f:1:5: ", "is the indentation right"},
	    {TEXT("a: [1, 2\nb: 3\n"), "f:2:2: ", ""},
	    {TEXT("a: \"open\n"), "f:2:1: ", "quoted scalar"},
	    {TEXT("a: 1\n---\nb: 2\n"), "f:2:1: ", "a second document"},
	    {TEXT("a: 1\n...\n---\nb: 2\n"), "f:3:1: ", "a second document"},
	    {TEXT("? [a, b]\n: c\n"), "f:1:3: ", "a name must be plain text"},
	    {TEXT("\"a\\tb\": c\n"), "f:1:1: ", "the character U+0009 in a name"},
	    {TEXT("a: {b\xe2\x80\xae: c}\n"), "f:1:5: ", "the character U+202E in a name"},
	    {TEXT("\"\\u009b\": c\n"), "f:1:1: ", "the character U+009B in a name"},
	    /* Variables where a name stands; the first is "$" and then a map to YAML. */
	    {TEXT("a: {${X}: 1}\n"), "f:1:5: ", "variables are put into values only"},
	    {TEXT("${X}: 1\n"), "f:1:1: ", "variables are put into values only"},
	    {TEXT("a: {\"b$\": 1}\n"), "f:1:5: ", "variables are put into values only"},
	    {TEXT("<<: {a: 1}\n"), "f:1:1: ", "merge keys"},
	    {TEXT("x: &x a\n*x : 1\n"), "f:2:1: ", "a name must be plain text"},
	    {TEXT("a: \xff\xfe\n"), "f:1:4: ", "not UTF-8"},
	    {TEXT("a: b\n\xc3\xa9\xc3\xa9: \xc3\n"), "f:2:6: ", "not UTF-8"},
	    {TEXT("a: b\0c\n"), "f:1:5: ", "not UTF-8"},
	    {TEXT("\xff\xfe"
		  "a\0:\0 \0b\0"),
	     "f:1:1: ", "not UTF-8"}, /* UTF-16 */
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct parsed p = parse(cases[i].text, cases[i].len);

		assert_null(p.root);
		assert_memory_equal(p.complaints, cases[i].place, strlen(cases[i].place));
		assert_non_null(strstr(p.complaints, cases[i].words));
		/* One is enough: what follows a syntax error means nothing. */
		assert_ptr_equal(strchr(p.complaints, '\n') + 1, strchr(p.complaints, '\0'));
		drop(&p);
	}
}

static void test_bounds(void **state)
{
	char deep[20000], *many = xmalloc(20000);
	struct parsed p;

	memset(deep, '[', sizeof(deep));
	p = parse(deep, sizeof(deep));
	assert_null(p.root);
	assert_string_equal(p.complaints, "f:1:34: nested more than 32 deep\n");
	drop(&p);

	/* 1,000 entries are granted; the list itself is one. */
	for (size_t i = 0; i < 20000; i += 2)
		memcpy(many + i, i == 0 ? "[a" : ",a", 2);
	memcpy(many + 2 * 999, "]", 1);
	p = parse(many, 2 * 999 + 1);
	assert_string_equal(p.complaints, "");
	assert_int_equal(p.root->n, 999);
	drop(&p);
	memcpy(many + 2 * 999, ",", 1);
	p = parse(many, 20000);
	assert_null(p.root);
	assert_string_equal(p.complaints, "f:1:2000: more than 1000000 values: too large\n");
	drop(&p);
	free(many);
}

/* Nine levels of nine would be 387,420,489 maps. */
static void test_aliases_of_aliases_take_all_memory(void **state)
{
	char text[1000] = "a0: &x0 {k: v}\n", line[64];
	struct parsed p;

	for (unsigned i = 1; i < 10; i++) {
		snprintf(line, sizeof(line), "a%u: &x%u {", i, i);
		strcat(text, line);
		for (unsigned k = 0; k < 9; k++) {
			snprintf(line, sizeof(line), "k%u: *x%u, ", k, i - 1);
			strcat(text, line);
		}
		strcat(text, "}\n");
	}
	p = parse(text, strlen(text));
	assert_null(p.root);
	assert_non_null(strstr(p.complaints, "more than 1000000 values: too large\n"));
	drop(&p);
}

/* The first line was taken to be indented by one. */
static void test_byte_order_mark(void **state)
{
	static const char text[] = "\xef\xbb\xbf"
				   "a: 1\nb: \xff\n";
	struct parsed p = parse(text, strlen("\xef\xbb\xbf"
					     "a: 1\n"));

	assert_string_equal(p.complaints, "");
	assert_int_equal(p.root->first->key_place.column, 1);
	drop(&p);
	p = parse(text, strlen(text));
	assert_memory_equal(p.complaints, "f:2:4: not UTF-8", 16);
	drop(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_trees),
	    cmocka_unit_test(test_complaints),
	    cmocka_unit_test(test_broken_syntax),
	    cmocka_unit_test(test_bounds),
	    cmocka_unit_test(test_byte_order_mark),
	    cmocka_unit_test(test_aliases_of_aliases_take_all_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
