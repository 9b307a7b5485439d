// Package recipe reads recipes, which say how an engine's roles are started, probed and stopped, and renders what they
// hold: command lines, environment variables and configuration files.
//
// Rules:
//   - What an engine needs is data, not code. Nothing here knows an engine by name.
//   - Every text in a recipe is a template over [Data], rendered on the node just before the role starts, and once with
//     made-up data when the plan is made, so that a fault shows before a job queues.
//   - A configuration file is a structure that is merged as data and encoded; text is never glued together
//     ([File.Render]). A key that two parts give is refused by name.
//   - It does no I/O.
//
// Terms: a recipe has one role specification ([RoleSpec]) for each kind of role. A wrapper is a rank launcher that runs
// the role's command. The template data is what templates can refer to.
package recipe
