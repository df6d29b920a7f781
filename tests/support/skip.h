/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * How a cmocka case says why it is skipped: tests/suite/summary groups by that. After <cmocka.h>.
 */
#pragma once

#define SKIP(why) (print_message("skipped: %s\n", why), skip())
