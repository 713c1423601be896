# The ROS 2 wheels' imported targets <package>::<package>__rosidl_generator_py carry include folders of the
# machine that built them, which CMake refuses. Where a folder does not exist, this Python's own headers and
# NumPy's take the place of the list. A ROS 2 installation from apt or source is left as it is.
# Include it after the last find_package() of a message package.
find_package(Python3 REQUIRED COMPONENTS Interpreter Development.Module NumPy)
get_directory_property(_imported_targets IMPORTED_TARGETS)
foreach(_target IN LISTS _imported_targets)
  if(NOT _target MATCHES "__rosidl_generator_py$")
    continue()
  endif()
  get_target_property(_folders ${_target} INTERFACE_INCLUDE_DIRECTORIES)
  foreach(_folder IN LISTS _folders)
    if(IS_ABSOLUTE "${_folder}" AND NOT EXISTS "${_folder}")
      set_target_properties(${_target} PROPERTIES
        INTERFACE_INCLUDE_DIRECTORIES "${Python3_INCLUDE_DIRS};${Python3_NumPy_INCLUDE_DIRS}")
      break()
    endif()
  endforeach()
endforeach()
