-- For Orthanc: each image that is stored goes into the folder that sd-run watches (SDC_WATCH), once it is whole.
-- Modalities that are wanted: SDC_MODALITIES, such as "CR,DX"; all but reports if it is not set.

local folder = assert(os.getenv('SDC_WATCH'), 'SDC_WATCH: the folder that sd-run watches')
local wanted = os.getenv('SDC_MODALITIES')

local function isWanted(modality)
  if modality == nil or modality == 'SR' then return false end -- our own reports come back here
  return wanted == nil or string.find(',' .. wanted .. ',', ',' .. modality .. ',', 1, true) ~= nil
end

function OnStoredInstance(instance, tags, metadata, origin)
  if not isWanted(tags['Modality']) then return end
  -- Written under a hidden name, which sd-run does not look at. Orthanc's own identifier says nothing about the patient.
  local hidden, final = folder .. '/.' .. instance .. '.dcm', folder .. '/' .. instance .. '.dcm'
  local file, problem = io.open(hidden, 'wb')
  local dicom = RestApiGet('/instances/' .. instance .. '/file')
  if file == nil or not file:write(dicom) or not file:close() then
    print('sdc: ' .. instance .. ' could not be handed over: ' .. (problem or 'the folder is full'))
    os.remove(hidden)
    return
  end
  os.rename(hidden, final)
end
