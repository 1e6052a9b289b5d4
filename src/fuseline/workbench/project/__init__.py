"""`fuseline new`: a project that runs the installed package."""

from fuseline.workbench.project.create import create_project, next_steps

__all__ = ["create_project", "next_steps"]
